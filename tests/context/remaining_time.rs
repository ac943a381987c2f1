use super::*;

/// The longest timeout that Lambda allows, which applies when the deadline is unknown.
const LONGEST: i64 = 15 * 60 * 1_000;

#[tokio::test(start_paused = true)]
async fn the_remaining_time_counts_down_and_goes_below_zero() {
    let context = Context::builder().timeout(10 * SECOND).build();
    assert_eq!(context.get_remaining_time_in_millis(), 10_000);
    time::advance(4 * SECOND).await;
    assert_eq!(context.get_remaining_time_in_millis(), 6_000);
    time::advance(10 * SECOND).await;
    assert_eq!(context.get_remaining_time_in_millis(), -4_000);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_starts_with_the_invocation_and_not_with_the_builder() {
    let context = Context::builder().timeout(10 * SECOND).build();
    time::advance(4 * SECOND).await;
    let handler =
        async |_: Value, context: Context| Ok::<_, Error>(context.get_remaining_time_in_millis());
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    assert_eq!(outcome.result.unwrap(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn the_remaining_time_is_derived_from_the_deadline() {
    let before = since_1970();
    let context = Context::builder().deadline_ms(before + 10_000).build();
    let left = context.get_remaining_time_in_millis();
    let passed = i64::try_from(since_1970() - before).unwrap();
    assert!((10_000 - passed - 1..=10_000).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn the_remaining_time_is_negative_after_a_deadline_that_has_just_passed() {
    let context = Context::builder().deadline_ms(since_1970() - 5_000);
    assert!(context.clone().build().get_remaining_time_in_millis() <= -4_999);

    let handler = async |_: Value| {
        forever().await;
        Ok::<_, Error>(())
    };
    let outcome = nodeback::invoke(handler, json!({}), context.build()).await;
    assert_eq!(outcome.result.unwrap_err().error_type(), "Sandbox.Timedout");
}

#[tokio::test(start_paused = true)]
async fn a_missing_deadline_or_one_long_past_counts_as_unknown() {
    let ten_minutes_after_1970 = 600_000;
    let builder = Context::builder;
    for unknown in [
        builder().timeout(Duration::ZERO),
        builder().deadline_ms(0),
        builder().deadline_ms(ten_minutes_after_1970),
    ] {
        let context = unknown.build();
        assert_eq!(context.get_remaining_time_in_millis(), LONGEST);
        time::advance(SECOND).await;
        assert_eq!(context.get_remaining_time_in_millis(), LONGEST - 1_000);

        let handler = async |_: Value| {
            time::sleep(20 * 60 * SECOND).await;
            Ok::<_, Error>("never aborted")
        };
        let outcome = nodeback::invoke(handler, json!({}), context).await;
        assert_eq!(outcome.result.unwrap(), "never aborted");
    }
}
