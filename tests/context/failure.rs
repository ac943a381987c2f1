use super::*;

#[tokio::test]
async fn a_failure_is_logged_once_in_the_span_of_its_invocation() {
    for kind in ["fail", "return", "panic"] {
        let log = Log::start();
        let handler = move |_: Value, _: Context, callback: Callback| {
            match kind {
                "fail" => callback.fail(error!("boom")),
                "return" => return Err(error!("boom")),
                _ => panic!("boom"),
            }
            Ok(())
        };
        timed(handler).await;
        let errors = log.errors();
        assert_eq!(errors.len(), 1, "{kind}: {errors:?}");
        assert_eq!(errors[0].message, "Invoke Error");
        assert!(errors[0].fields["error"].contains(r#""errorMessage":"boom""#));
        assert_eq!(errors[0].fields["requestId"], "request-7");
    }
}
