use super::*;

#[tokio::test]
async fn returning_unit_after_the_context_has_signalled_is_not_a_duplicate_signal() {
    let handler = async |_: Value, context: Context| {
        context.succeed("first");
        Ok::<(), Error>(())
    };
    let (outcome, _) = timed(handler).await;
    assert_eq!(outcome.result.unwrap(), "first");
    assert_eq!(outcome.duplicate_signal_count, 0);
}
