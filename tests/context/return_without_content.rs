use super::*;

#[tokio::test]
async fn after_a_signal_of_the_context_is_no_second_signal() {
    let handler = async |_: Value, context: Context| {
        context.succeed("first");
        Ok::<(), Error>(())
    };
    let (outcome, _) = timed(handler).await;
    assert_eq!(outcome.result.unwrap(), "first");
    assert_eq!(outcome.duplicate_signal_count, 0);
}
