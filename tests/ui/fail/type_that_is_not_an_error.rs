use nodeback::Callback;

struct NotAnError;

fn main() {
    let (callback, _completion): (Callback, _) = nodeback::callback();
    callback.fail(NotAnError);
}
