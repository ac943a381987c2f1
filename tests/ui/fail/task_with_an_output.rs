use nodeback::Context;

fn main() {
    Context::default().spawn(async { 42 });
}
