// Originals for tests/parity/streams.rs.
const { streamifyResponse, HttpResponseStream } = awslambda;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.page = streamifyResponse(async (event, stream) => {
    stream = HttpResponseStream.from(stream, { statusCode: 200, headers: { 'Content-Type': 'text/html' }, cookies: ['a=1'] });
    for (const line of ['<h1>Orders</h1>', '<p>7</p>', '<p>8</p>']) stream.write(`${line}\n`);
    stream.end();
});

exports.bytes = streamifyResponse(async (event, stream) => {
    stream.setContentType('image/png');
    stream.write(Buffer.alloc(100, 0xff));
    stream.end(Buffer.from([1, 2, 3]));
});

exports.fails = streamifyResponse(async (event, stream) => {
    if (event.log) console.log('order of %s', event.log);
    if (!event.first) stream.write('a\n');
    throw new TypeError('no order 7');
});

exports.buffered = async () => ({ statusCode: 200, headers: { 'Content-Type': 'text/html' }, body: '<h1>Orders</h1>' });

exports.exits = streamifyResponse(async (event, stream) => {
    await new Promise((resolve) => stream.write('a\n', resolve));
    process.exit(3);
});

// It goes on for longer after the end of its stream than a process has to poll again.
let calls = 0;
exports.works_on = streamifyResponse(async (event, stream) => {
    calls += 1;
    stream.end(`${calls}`);
    if (calls === 1) await wait(2500);
});
