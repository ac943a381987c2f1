use super::*;

#[test]
fn through_one_handle() {
    let (callback, completion) = nodeback::callback();
    callback(None, Some(1));
    callback(None, Some(2));
    callback(Some(error!("late")), None);
    assert_eq!(completion.wait().unwrap(), Some(1));
}

#[test]
fn error_before_a_result() {
    let (callback, completion) = nodeback::callback();
    callback(Some(error!("first")), None);
    callback(None, Some(2));
    assert_eq!(completion.wait().unwrap_err().message(), "first");
}

#[test]
fn across_clones() {
    let (callback, completion) = nodeback::callback();
    let (a, b) = (callback.clone(), callback.clone());
    b.succeed("b");
    a.succeed("a");
    callback.succeed("callback");
    assert_eq!(completion.wait().unwrap(), Some("b"));
}

#[tokio::test]
async fn across_tasks() {
    let (callback, completion) = nodeback::callback();
    let (first, second) = (callback.clone(), callback);
    let first = tokio::spawn(async move { first.succeed("first") });
    let second = tokio::spawn(async move {
        first.await.unwrap();
        second.succeed("second");
    });
    second.await.unwrap();
    assert_eq!(completion.await.unwrap(), Some("first"));
}

#[test]
fn across_threads() {
    let (callback, completion) = nodeback::callback();
    let (first, second) = (callback.clone(), callback);
    thread::spawn(move || first.succeed("first"))
        .join()
        .unwrap();
    thread::spawn(move || second.succeed("second"))
        .join()
        .unwrap();
    assert_eq!(completion.wait().unwrap(), Some("first"));
}

#[test]
fn after_the_outcome_was_taken() {
    let (callback, mut completion) = nodeback::callback();
    callback(None, Some(1));
    assert_eq!(now(&mut completion).unwrap(), Some(1));
    callback(None, Some(2));
    assert!(is_pending(&mut completion));
}
