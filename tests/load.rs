//! Tests the local server under load from 64 concurrent clients, with handlers that succeed, fail,
//! panic or are slow. Each request must get its own outcome, and the memory of the server must not
//! grow.
//!
//! With `NODEBACK_FULL=1`, the test runs for 60 s. `NODEBACK_SEED` repeats the requests of a run.

mod support;

use nodeback::{Callback, Context, Error, Runtime, Value, json};
use reqwest::Client;
use std::{
    env,
    io::BufRead,
    process::Command,
    time::{Duration, Instant},
};
use support::Process;
use tokio::{net::TcpListener, time};

const CLIENTS: u64 = 64;
const WARM_UP: u64 = 1_000;
const REQUESTS: u64 = 6_400;
const FULL: Duration = Duration::from_secs(60);

/// Runs the server as a separate process, whose memory can be measured. This is not a test: the
/// test below starts it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs to be started by the other test, as the server"]
async fn server() {
    if env::var_os("LOAD_SERVER").is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let served = Runtime::new(handler).serve(listener, std::future::pending());
    served.await.unwrap();
}

fn handler(event: Value, context: Context, callback: Callback) -> Result<(), Error> {
    let n = &event["n"];
    match event["do"].as_str().unwrap_or_default() {
        "respond" | "large" => callback.succeed(event),
        "fail" => callback.fail(Error::new("LoadFailure", format!("no {n}"))),
        "throw" => return Err(Error::new("LoadThrow", format!("no {n}"))),
        "panic" => panic!("ouch {n}"),
        "twice" => {
            callback(None, Some(event.clone()));
            callback(None, Some(json!("the second")));
        }
        "slow" => {
            context.spawn(async move {
                time::sleep(Duration::from_millis(event["ms"].as_u64().unwrap_or(0))).await;
                callback.succeed(event);
            });
        }
        "blocking" => {
            context.spawn_blocking(move || {
                callback.succeed(event);
            });
        }
        // Drops the callback.
        _ => {}
    }
    Ok(())
}

/// A request and its expected outcome.
struct Call {
    event: Value,
    failure: Option<(&'static str, String)>,
}

const MIXED: [&str; 12] = [
    "respond", "respond", "respond", "respond", "fail", "throw", "panic", "twice", "slow",
    "blocking", "large", "drop",
];

/// The requests that take the most memory. They run first, so that the allocator has reserved it
/// all before the memory is measured.
const HEAVY: [&str; 3] = ["large", "large", "blocking"];

impl Call {
    fn random(n: u64, kinds: &[&str], random: &mut fastrand::Rng) -> Self {
        let kind = kinds[random.usize(..kinds.len())];
        let event = match kind {
            "slow" => json!({ "n": n, "do": kind, "ms": random.u64(1..20) }),
            "large" => json!({ "n": n, "do": kind, "text": "x".repeat(random.usize(..100_000)) }),
            _ => json!({ "n": n, "do": kind }),
        };
        let failure = match kind {
            "fail" => Some(("LoadFailure", format!("no {n}"))),
            "throw" => Some(("LoadThrow", format!("no {n}"))),
            "panic" => Some(("Runtime.Panic", format!("ouch {n}"))),
            "drop" => Some(("Runtime.CallbackNotCalled", "callback".into())),
            _ => None,
        };
        Call { event, failure }
    }

    /// Sends the request, checks the outcome, and returns how long the call took.
    async fn run(self, client: &Client, url: &str) -> Duration {
        let event = &self.event;
        let began = Instant::now();
        let call = client.post(url).body(event.to_string());
        let response = call.send().await.expect("a response");
        assert_eq!(response.status(), 200, "for {event}");
        let failed = response.headers().contains_key("x-amz-function-error");
        let body = response.bytes().await.expect("the whole body");
        let took = began.elapsed();
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        match self.failure {
            None => assert_eq!((failed, &body), (false, event)),
            Some((name, message)) => {
                assert_eq!((failed, &body["errorType"]), (true, &json!(name)));
                let actual = body["errorMessage"].as_str().unwrap();
                assert!(actual.contains(&message), "`{actual}` for {event}");
            }
        }
        took
    }
}

fn client() -> Client {
    let kept = Client::builder().pool_max_idle_per_host(1);
    kept.build().expect("a client")
}

/// Clients, each with its own connection that it keeps open.
struct Clients {
    clients: Vec<(Client, fastrand::Rng)>,
    url: String,
    next: u64,
}

impl Clients {
    fn new(url: String, seed: u64) -> Self {
        let random = |n| fastrand::Rng::with_seed(seed.wrapping_add(n));
        Clients {
            clients: (0..CLIENTS).map(|n| (client(), random(n))).collect(),
            url,
            next: 0,
        }
    }

    /// Lets all clients call concurrently, for `requests` calls in total and at least until `end`.
    /// Returns how long each call took.
    async fn call(
        &mut self,
        kinds: &'static [&str],
        requests: u64,
        end: Option<Instant>,
    ) -> Vec<Duration> {
        let first = self.next;
        let each = requests.div_ceil(CLIENTS);
        let clients = self.clients.drain(..).zip(0..);
        let running: Vec<_> = clients
            .map(|((client, mut random), number)| {
                let url = self.url.clone();
                tokio::spawn(async move {
                    let (mut took, mut n) = (vec![], 0);
                    while n < each || end.is_some_and(|end| Instant::now() < end) {
                        let id = first + n * CLIENTS + number;
                        took.push(
                            Call::random(id, kinds, &mut random)
                                .run(&client, &url)
                                .await,
                        );
                        n += 1;
                    }
                    (took, (client, random))
                })
            })
            .collect();
        let mut all = vec![];
        for client in running {
            let (took, client) = client.await.unwrap();
            all.extend(took);
            self.clients.push(client);
        }
        self.next += each * CLIENTS;
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_clients_gets_its_own_outcome_and_memory_does_not_grow() {
    let seed = support::seed();
    let mut command = Command::new(env::current_exe().expect("the path of the test"));
    command
        .args(["--ignored", "--exact", "server", "--nocapture"])
        // The first backtrace would load symbols that then stay in memory.
        .env_remove("RUST_BACKTRACE")
        .env("LOAD_SERVER", "1");
    let mut server = Process::spawn(&mut command);
    let mut lines = server.stdout().lines().map(|line| line.expect("text"));
    // The test harness prints its own lines first.
    let line = lines.find(|line| line.contains("http://"));
    let line = line.expect("the address");
    let (_, address) = line.split_once("http://").expect("the address");
    let url = format!("http://{address}/2015-03-31/functions/load/invocations");

    let mut clients = Clients::new(url, seed);
    clients.call(&HEAVY, WARM_UP, None).await;
    let before = server.memory("VmRSS");
    let began = Instant::now();
    let end = support::is_full().then(|| began + FULL);
    let mut took = clients.call(&MIXED, REQUESTS, end).await;
    let elapsed = began.elapsed();
    let after = server.memory("VmRSS");

    took.sort_unstable();
    let rank = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "{} requests from {CLIENTS} clients in {elapsed:.1?}: {:.0}/s, p50 {:.1?}, p99 {:.1?}, \
         slowest {:.1?}; memory {before:?} to {after:?} kB",
        took.len(),
        took.len() as f64 / elapsed.as_secs_f64(),
        rank(50),
        rank(99),
        rank(100),
    );
    if let (Some(before), Some(after)) = (before, after) {
        assert!(
            after * 10 <= before * 12,
            "the memory grew from {before} to {after} kB"
        );
    }
    if let Some(files) = server.open_files() {
        // A client may open a new connection before its previous one is back in its pool.
        let most = 2 * CLIENTS as usize + 32;
        assert!(files <= most, "{files} files are open");
    }
}
