// Streaming handlers, by the member `case` of the event. What AWS's Node client posts for them is in `recorded.json`.
const { Readable, Transform } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { streamifyResponse, HttpResponseStream } = awslambda;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const http = (stream, metadata = { statusCode: 201, headers: { 'Content-Type': 'text/plain' } }) =>
    HttpResponseStream.from(stream, metadata);

const cases = {
    write_text: async (stream) => { stream.write('hello'); stream.end(); },
    write_bytes: async (stream) => { stream.write(Buffer.from([0, 1, 254, 255])); stream.end(); },
    write_uint8array: async (stream) => { stream.write(new Uint8Array([104, 105])); stream.end(); },
    write_object: async (stream) => { stream.write({ b: 1, a: [true, null] }); stream.end(); },
    write_number: async (stream) => { stream.write(1.5); stream.end(); },
    write_array: async (stream) => { stream.write(['a', 'b']); stream.end(); },
    write_encoded: async (stream) => { stream.write('ff00', 'hex'); stream.end(); },
    write_beyond_ascii: async (stream) => { stream.write('zażółć 🚀'); stream.end(); },
    write_often: async (stream) => { for (let n = 0; n < 1000; n++) stream.write(`line ${n}\n`); stream.end(); },
    write_much: async (stream) => { for (let n = 0; n < 64; n++) stream.write('x'.repeat(4096)); stream.end(); },
    write_nothing: async (stream) => { stream.write(''); stream.end(); },
    write_null: async (stream) => { stream.write(null); stream.end(); },
    write_with_callback: async (stream) => {
        await new Promise((resolve) => { stream.write('a', resolve); });
        stream.write('b');
        stream.end();
    },
    write_in_turns: async (stream) => {
        for (const text of ['one', 'two', 'three']) {
            stream.write(text);
            await sleep(5);
        }
        stream.end();
    },
    write_corked: async (stream) => {
        stream.cork();
        stream.write('a');
        stream.write('b');
        stream.uncork();
        stream.end();
    },
    write_events: async (stream) => {
        stream.setContentType('text/event-stream');
        for (let n = 0; n < 3; n++) stream.write(`id: ${n}\ndata: {"n":${n}}\n\n`);
        stream.end();
    },
    end_at_once: async (stream) => { stream.end(); },
    end_with_text: async (stream) => { stream.write('a'); stream.end('b'); },
    end_with_text_alone: async (stream) => { stream.end('alone'); },
    end_with_bytes: async (stream) => { stream.end(Buffer.from([1, 2, 3])); },
    end_with_object: async (stream) => { stream.write('a'); stream.end({ b: 1 }); },
    end_twice: async (stream) => { stream.write('a'); stream.end(); stream.end(); },
    end_twice_with_text: async (stream) => { stream.write('a'); stream.end('b'); stream.end('c'); },
    end_in_a_timer: async (stream) => {
        stream.write('a');
        setTimeout(() => { stream.write('b'); stream.end(); }, 5);
    },
    end_awaited: async (stream) => {
        stream.write('a');
        await new Promise((resolve) => { stream.end(resolve); });
    },
    write_after_end: async (stream) => { stream.write('a'); stream.end(); stream.write('b'); },
    write_after_end_heard: async (stream) => {
        stream.on('error', () => {});
        stream.write('a');
        stream.end();
        await new Promise((resolve) => { stream.write('b', resolve); });
    },
    never_ended: async (stream) => { stream.write('a'); },
    never_ended_without_a_write: async () => {},
    never_returns: async (stream) => { stream.write('a'); await new Promise(() => {}); },
    ended_and_never_returns: async (stream) => { stream.write('a'); stream.end(); await new Promise(() => {}); },
    ended_and_returns_later: async (stream) => { stream.write('a'); stream.end(); await sleep(5); },
    returns_a_value: async (stream) => { stream.write('a'); stream.end(); return { ignored: true }; },
    pipeline_of_a_reader: async (stream) => pipeline(Readable.from(['a', 'b', 'c']), stream),
    pipeline_of_bytes: async (stream) => pipeline(Readable.from([Buffer.alloc(70000, 7), Buffer.from('end')]), stream),
    pipeline_of_a_transform: async (stream) => pipeline(
        Readable.from(['a', 'b']),
        new Transform({ transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()) }),
        stream,
    ),
    pipe: async (stream) => { Readable.from(['a', 'b']).pipe(stream); },
    content_type: async (stream) => { stream.setContentType('text/html; charset=utf-8'); stream.write('<p>'); stream.end(); },
    content_type_twice: async (stream) => {
        stream.setContentType('text/plain');
        stream.setContentType('text/css');
        stream.write('p {}');
        stream.end();
    },
    content_type_too_late: async (stream) => { stream.write('a'); stream.setContentType('text/plain'); stream.end(); },
    content_type_without_a_write: async (stream) => { stream.setContentType('text/plain'); stream.end(); },
    content_type_invalid: async (stream) => { stream.setContentType('a\nb'); stream.write('a'); stream.end(); },
    http: async (stream) => { stream = http(stream); stream.write('a'); stream.write('b'); stream.end(); },
    http_after_a_write: async (stream) => { stream.write('a'); stream = http(stream); stream.write('b'); stream.end(); },
    http_without_a_write: async (stream) => { http(stream, { statusCode: 204 }).end(); },
    http_ended_with_text: async (stream) => { http(stream).end('alone'); },
    http_of_an_empty_write: async (stream) => { stream = http(stream); stream.write(''); stream.end(); },
    http_cookies: async (stream) => {
        stream = http(stream, { statusCode: 200, headers: { 'X-A': 'b', 'Set-Cookie': 'c=d' }, cookies: ['a=1', 'b=2; Secure'] });
        stream.write('{}');
        stream.end();
    },
    http_beyond_ascii: async (stream) => { stream = http(stream, { headers: { a: 'ż' } }); stream.write('ż'); stream.end(); },
    http_without_metadata: async (stream) => { stream = http(stream, {}); stream.write('a'); stream.end(); },
    http_twice: async (stream) => {
        stream = http(http(stream), { statusCode: 202 });
        stream.write('a');
        stream.end();
    },
    http_and_content_type: async (stream) => { http(stream); stream.setContentType('text/css'); stream.write('a'); stream.end(); },
    http_fails: async (stream) => { http(stream); throw new TypeError('before a write'); },
    http_fails_in_the_middle: async (stream) => { http(stream).write('a'); throw new TypeError('after a write'); },
    throws_at_once: async () => { throw new Error('at once'); },
    throws_in_the_middle: async (stream) => { stream.write('a'); await sleep(5); throw new RangeError('in the middle'); },
    throws_after_end: async (stream) => { stream.write('a'); stream.end(); throw new Error('after the end'); },
    throws_beyond_ascii: async (stream) => { stream.write('a'); throw new Error('żółć 🚀\nline two'); },
    throws_a_name: async (stream) => {
        stream.write('a');
        throw Object.assign(new Error('no order 7'), { name: 'OrderNotFound', code: 'E7' });
    },
    throws_a_name_beyond_ascii: async (stream) => { stream.write('a'); throw Object.assign(new Error('b'), { name: 'żółć' }); },
    throws_a_text: async (stream) => { stream.write('a'); throw 'a text'; },
    throws_a_number: async (stream) => { stream.write('a'); throw 7; },
    throws_without_a_message: async (stream) => { stream.write('a'); throw new Error(); },
    throws_in_a_timer: async (stream) => {
        stream.write('a');
        setTimeout(() => { throw new Error('in a timer'); }, 5);
        await sleep(50);
        stream.end();
    },
    rejects_unhandled: async (stream) => {
        stream.write('a');
        Promise.reject(new Error('unhandled'));
        await sleep(50);
        stream.end();
    },
    calls_a_callback: async (stream, context, callback) => { stream.write('a'); callback(null, 'b'); stream.end(); },
    calls_context_succeed: async (stream, context) => { stream.write('a'); context.succeed('b'); stream.end(); },
    calls_context_fail: async (stream, context) => { stream.write('a'); context.fail(new Error('b')); },
    waits_for_the_loop: async (stream, context) => {
        stream.write('a');
        setTimeout(() => console.log('the timer'), 20);
        stream.end();
    },
    waits_for_nothing: async (stream, context) => {
        context.callbackWaitsForEmptyEventLoop = false;
        stream.write('a');
        setTimeout(() => {}, 10_000);
        stream.end();
    },
    destroyed: async (stream) => { stream.write('a'); await sleep(5); stream.destroy(); },
    pipeline_that_fails: async (stream) => {
        const parts = async function* () { yield 'a'; await sleep(5); throw new Error('the reader failed'); };
        await pipeline(Readable.from(parts()), stream);
    },
    drained: async (stream) => {
        for (let n = 0; n < 40; n++) {
            if (!stream.write('y'.repeat(1000))) await new Promise((resolve) => { stream.once('drain', resolve); });
        }
        stream.end();
    },
};

exports.handler = streamifyResponse(async (event, stream, context, ...rest) => cases[event.case](stream, context, ...rest));
exports.small = streamifyResponse(async (event, stream) => cases.drained(stream), { highWaterMark: 100 });
exports.sync = streamifyResponse((event, stream) => { stream.write('a'); stream.end(); });
exports.names = Object.keys(cases);
