// Originals for tests/parity.rs.
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));


exports.named = (event, context, callback) => {
    if (!event.name) return callback(new Error('name is missing'));
    callback(null, { hello: event.name, of: context.functionName, memory: context.memoryLimitInMB });
};

exports.deferred = (event, context, callback) => {
    setTimeout(() => {}, 30);
    callback(null, 'waited');
};

exports.hasty = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = false;
    setTimeout(() => {}, 30);
    callback(null, 'at once');
};

exports.later = async (event) => { await wait(5); return { n: event.n + 1 }; };

exports.silent = () => {};

let calls = 0;
exports.counts = (event, context, callback) => callback(null, ++calls);

exports.exits = (event, context, callback) => {
    calls += 1;
    if (event.exit !== undefined) {
        if (event.first) { context.succeed('before the end'); }
        process.exit(event.exit);
    }
    callback(null, calls);
};

exports.throws = (event, context, callback) => { setImmediate(() => { throw new TypeError('in a later turn'); }); };

exports.hangs = () => { for (;;); };

exports.waits = (event, context, callback) => { setInterval(() => {}, 1000); };

exports.floods = (event, context, callback) => {
    const line = 'x'.repeat(65536);
    for (let n = 0; n < 200; n++) { console.log(line); process.stdout.write(Buffer.from([0xff, 0xfe, 0])); }
    callback(null, 'x'.repeat(6 * 1024 * 1024 - 2));
};

exports.reads = (event, context, callback) => require('fs').readFile(__filename, (err) => callback(err, 'read'));

exports.immediate = (event, context, callback) => { setImmediate(() => {}); callback(null, 'after it'); };

// The first event leaves a timer behind that calls its callback again, as an error, while the second one runs.
exports.late = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = false;
    if (event.first) {
        setTimeout(() => context.fail('too late'), 20);
        return callback(null, 'first');
    }
    setTimeout(() => callback(null, 'second'), 100);
};

exports.thrower = (event, context, callback) => {
    setTimeout(() => { throw new TypeError('in a timer'); }, 5);
    callback(null, 'held');
};

// What never comes to an end is killed at the deadline.
exports.drowns = () => { for (;;) console.log('x'.repeat(65536)); };
exports.kills = (event, context, callback) => {
    if (event.kill) process.kill(process.pid, event.kill);
    else callback(null, 'alive');
};
exports.large = (event, context, callback) => {
    callback(null, Object.fromEntries(Array.from({ length: 50000 }, (_, n) => [`key ${n}`, n])));
};
exports.echo = (event, context, callback) => callback(null, event);

// Connects to the test, as does a process that it starts. Both connections last as long as their processes.
exports.family = (event, context, callback) => {
    const [host, port] = event.line.split(':');
    const connect = `require('net').connect({ host: '${host}', port: ${port} })`;
    require('child_process').spawn(process.execPath, ['-e', `${connect}.resume()`], { stdio: 'ignore', detached: event.detached });
    const line = require('net').connect({ host, port }).unref();
    context.callbackWaitsForEmptyEventLoop = false;
    line.on('data', () => {
        if (event.then === 'hang') for (;;);
        if (event.then === 'exit') process.exit(7);
        callback(null, 'started');
    });
    line.ref();
};
