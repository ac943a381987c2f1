//! A test that was copied from the page. tests/browser.rs checks that the page still produces this
//! text.

use nodeback::{Callback, Context, Error, Value};

fn handler(event: Value, _: Context, callback: Callback) {
    let text = event["text"].as_str().unwrap_or_default().to_owned();
    callback.fail(Error::new(text.clone(), text))
}

#[tokio::test]
async fn responds_as_before() {
    let event: nodeback::Value = r##"{"do":"hostile","text":"</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">\"#\u202e"}"##.parse().unwrap();
    let mut identity = nodeback::CognitoIdentity::default();
    identity.cognito_identity_id = "</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">".into();
    identity.cognito_identity_pool_id = "</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">".into();
    let context = nodeback::Context::builder()
        .function_name("page_function")
        .invoked_function_arn("arn:aws:lambda:us-east-1:123456789012:function:page_function:-live")
        .memory_limit_in_mb("256")
        .identity(identity)
        .client_context(r#"{"custom":{"text":"</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">"}}"#.parse::<nodeback::Value>().unwrap())
        .tenant_id("-</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">")
        .xray_trace_id("</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">")
        .timeout(std::time::Duration::from_millis(0))
        .build();
    let outcome = nodeback::invoke(handler, event, context).await;
    let error = outcome.result.unwrap_err();
    assert_eq!(error.error_type(), "</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">\"#\u{202e}");
    assert_eq!(error.message(), "</textarea></pre><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\">\"#\u{202e}");
}
