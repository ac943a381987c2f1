// The originals of the handlers in first.rs and more.rs. An event names its case; an event without a case is echoed. A case may
// have several consecutive events, and keeps its state between them.
const later = (ms, f) => setTimeout(f, ms);

// Timers that keep the event loop busy until they are released: by a separate event, or by a timer that the event asks for with
// its member `release`. That timer itself does not keep the loop busy.
let held = [];
let releasing;
const hold = (f = () => { }) => held.push([later(60000, () => { }), f]);
const release = () => held.splice(0).forEach(([timer, f]) => { clearTimeout(timer); f(); });
exports.release = (event, context, callback) => { release(); callback(null, 'released'); };

// Waits until the timers that the previous event left behind have fired.
exports.idle = (event, context, callback) => { later(100, () => callback(null, 'idle')); };

// The state of a case.
let count, ended, kept, leftovers, requests, secret, tries;
let current;
const begin = (event) => {
    if (event.case !== current && event.case !== 'release' && event.case !== 'idle') {
        current = event.case;
        count = ended = leftovers = tries = 0;
        requests = [];
        kept = secret = undefined;
    }
    clearTimeout(releasing);
    if (event.release) releasing = later(event.release, release).unref();
};

exports.handler = (event, context, callback) => {
    if (event?.case === undefined) return callback(null, event);
    begin(event);
    return exports[event.case](event, context, callback);
};

// callback: results
exports.result_object = (event, context, callback) => callback(null, { hello: event.name, n: 1 });
exports.result_echo = (event, context, callback) => callback(null, event);
exports.result_string = (event, context, callback) => callback(null, 'plain');
exports.result_number = (event, context, callback) => callback(null, 42.5);
exports.result_false = (event, context, callback) => callback(null, false);
exports.result_array = (event, context, callback) => callback(null, [1, 'two', null]);
exports.result_null = (event, context, callback) => callback(null, null);
exports.result_undefined = (event, context, callback) => callback(null, undefined);
exports.result_none = (event, context, callback) => callback();
exports.result_only_null_error = (event, context, callback) => callback(null);
exports.result_unicode = (event, context, callback) => callback(null, { s: 'żółć 🚀 \u0007' });
exports.result_undefined_member = (event, context, callback) => callback(null, { a: 1, b: undefined });
exports.result_circular = (event, context, callback) => { const a = {}; a.a = a; callback(null, a); };
exports.result_http = (event, context, callback) => callback(null, { statusCode: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message: 'ok' }) });

// callback: errors
exports.error_error = (event, context, callback) => callback(new Error('boom'));
exports.error_type_error = (event, context, callback) => callback(new TypeError('bad type'));
exports.error_named = (event, context, callback) => { class OrderNotFound extends Error { constructor(m) { super(m); this.name = 'OrderNotFound'; } } callback(new OrderNotFound('no order 7')); };
exports.error_string = (event, context, callback) => callback('Unauthorized');
exports.error_empty_string = (event, context, callback) => callback('');
exports.error_number = (event, context, callback) => callback(42);
exports.error_zero = (event, context, callback) => callback(0);
exports.error_false = (event, context, callback) => callback(false);
exports.error_true = (event, context, callback) => callback(true);
exports.error_object = (event, context, callback) => callback({ code: 7, message: 'm' });
exports.error_array = (event, context, callback) => callback([1, 2]);
exports.error_json_string = (event, context, callback) => callback(JSON.stringify({ errorType: 'BadRequest', httpStatus: 400 }));
exports.error_beats_result = (event, context, callback) => callback(new Error('boom'), { ignored: true });
exports.error_undefined_is_none = (event, context, callback) => callback(undefined, { ok: true });
exports.error_empty_message = (event, context, callback) => callback(new Error(''));
exports.error_multiline = (event, context, callback) => callback(new Error('line one\nline two'));

// several signals
exports.twice_results = (event, context, callback) => { callback(null, 1); callback(null, 2); };
exports.twice_result_then_error = (event, context, callback) => { callback(null, 1); callback(new Error('late')); };
exports.twice_error_then_result = (event, context, callback) => { callback(new Error('first')); callback(null, 2); };
exports.twice_callback_then_done = (event, context, callback) => { callback(null, 'callback'); context.done(null, 'done'); };
exports.twice_succeed_then_callback = (event, context, callback) => { context.succeed('succeed'); callback(new Error('late')); };
exports.twice_race = (event, context, callback) => { later(30, () => callback(null, 'slow')); later(5, () => callback(null, 'fast')); };
exports.never_called = (event, context, callback) => { };

// throw
exports.throw_error = (event, context, callback) => { throw new RangeError('thrown'); };
exports.throw_string = (event, context, callback) => { throw 'thrown string'; };
exports.throw_after_callback = (event, context, callback) => { callback(null, 'first'); throw new Error('after'); };

// callbacks called later
exports.later_timer = (event, context, callback) => { later(20, () => callback(null, 'later')); };
exports.later_promise = (event, context, callback) => { Promise.resolve('p').then((v) => callback(null, v)); };
exports.later_error = (event, context, callback) => { later(10, () => callback(new Error('later'))); };

// the event loop
exports.wait_true_defers_result = (event, context, callback) => { hold(); callback(null, 'deferred'); };
exports.wait_false_sends_at_once = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; hold(); callback(null, 'at once'); };
exports.wait_true_error_at_once = (event, context, callback) => { hold(); callback(new Error('at once')); };
exports.wait_done_at_once = (event, context, callback) => { hold(); context.done(null, 'at once'); };

// the old context methods
exports.context_succeed = (event, context) => context.succeed({ a: 1 });
exports.context_fail_error = (event, context) => context.fail(new Error('failed'));
exports.context_fail_string = (event, context) => context.fail('failed');
exports.context_fail_nothing = (event, context) => context.fail();
exports.context_done_result = (event, context) => context.done(null, { a: 2 });
exports.context_done_error = (event, context) => context.done(new Error('done'));
exports.context_members = (event, context, callback) => callback(null, { functionName: context.functionName, functionVersion: context.functionVersion, memoryLimitInMB: context.memoryLimitInMB, logGroupName: context.logGroupName, logStreamName: context.logStreamName, awsRequestId: context.awsRequestId, invokedFunctionArn: context.invokedFunctionArn, tenantId: context.tenantId, identity: context.identity, clientContext: context.clientContext, waits: context.callbackWaitsForEmptyEventLoop, remaining: typeof context.getRemainingTimeInMillis() });

// async handlers
exports.async_return = async (event) => ({ hello: event.name });
exports.async_return_nothing = async () => { };
exports.async_throw = async () => { throw new Error('async boom'); };
exports.async_throw_string = async () => { throw 'async string'; };
exports.async_callback_before_return = async (event, context, callback) => { callback(null, 'callback'); };
exports.async_return_and_callback = async (event, context, callback) => { callback(null, 'callback'); return 'return'; };
exports.async_callback_after_return = async (event, context, callback) => { later(20, () => callback(null, 'late')); };

// state kept between invocations
exports.warm_counter_x2 = (event, context, callback) => callback(null, ++count);
exports.error_then_again_x2 = (event, context, callback) => { count++ === 0 ? callback(new Error('first invocation')) : callback(null, 'second'); };

const named = (name, message) => Object.assign(new Error(message), { name });
const work = (value) => new Promise((resolve) => later(2, () => resolve(value)));
const failing = (error) => new Promise((resolve, reject) => later(2, () => reject(error)));
const wait = (ms) => new Promise((resolve) => later(ms, resolve));

// Error-first functions, as a library would provide them.
const read = (key, done) => later(2, () => done(null, `value of ${key}`));
const readNothing = (key, done) => later(2, () => done(named('NoSuchKey', `no ${key}`)));
const findOrder = (id, done) => later(2, () => id === 7 || id === 8 ? done(null, { id, customer: id === 7 ? 'ada' : 'bob' }) : done(named('OrderNotFound', `no order ${id}`)));
const findEmail = (name, done) => later(2, () => name === 'ada' ? done(null, 'ada@example.com') : done(new Error(`${name} has no address`)));

// the callback passed to other functions
exports.pass_callback = (event, context, callback) => read('order', callback);
exports.pass_callback_error = (event, context, callback) => readNothing('order', callback);
exports.pass_done = (event, context) => read('order', context.done);
exports.pass_done_error = (event, context) => readNothing('order', context.done);
exports.pass_to_catch = (event, context, callback) => { failing(new TypeError('rejected')).catch(callback); };
exports.pass_to_then = (event, context) => { work('resolved').then(context.succeed, context.fail); };
exports.pass_to_then_error = (event, context) => { failing(new Error('rejected')).then(context.succeed, context.fail); };
exports.pass_to_timer = (event, context) => { setTimeout(context.done, 2, null, 'from the timer'); };
exports.pass_wrapped = (event, context, callback) => { const respond = (err, res) => callback(null, { statusCode: err ? 400 : 200, body: err ? err.message : JSON.stringify(res) }); readNothing('order', respond); };
exports.pass_to_table = (event, context, callback) => { const table = { create: (done) => done(null, 'created'), remove: (done) => done(new Error('not allowed')) }; table[event.name === 'Ada' ? 'remove' : 'create'](callback); };
exports.pass_to_one_of_two = (event, context, callback) => { const onEnd = callback.bind(null, null, 'end'); const onError = callback; later(4, () => onError(new Error('too late'))); later(2, onEnd); };

// nested error-first functions
const receipt = (id, callback) => findOrder(id, (err, order) => {
    if (err) return callback(err);
    findEmail(order.customer, (err, email) => {
        if (err) return callback(new Error(`order ${id}: ${err}`));
        read(email, (err, text) => callback(err, { id, text }));
    });
});
exports.nested = (event, context, callback) => receipt(7, callback);
exports.nested_error_inside = (event, context, callback) => receipt(8, callback);
exports.nested_error_first = (event, context, callback) => receipt(9, callback);
exports.nested_error_as_text = (event, context, callback) => findOrder(9, (err) => callback('Error in order: ' + err));
exports.nested_error_swallowed = (event, context, callback) => findOrder(9, (err) => { if (err) return callback(); callback(null, 'found'); });
exports.nested_missing_return = (event, context, callback) => findOrder(9, (err) => { if (err) callback(err); callback(null, 'went on'); });
exports.nested_error_by_name = (event, context, callback) => findOrder(9, (err) => callback(null, err.name === 'OrderNotFound' ? { statusCode: 404 } : { statusCode: 500 }));
exports.nested_waterfall = (event, context, callback) => { const steps = [(v, next) => later(1, () => next(null, v + 1)), (v, next) => next(null, v * 10), (v, next) => later(1, () => next(null, `${v}!`))]; const run = (i, v) => i === steps.length ? callback(null, v) : steps[i](v, (err, v) => err ? callback(err) : run(i + 1, v)); run(0, event.n); };
exports.nested_series = (event, context, callback) => { const texts = []; const next = (keys) => { if (keys.length === 0) return callback(null, texts); read(keys[0], (err, text) => { texts.push(text); next(keys.slice(1)); }); }; next(['a', 'b', 'c']); };
exports.nested_recursion = (event, context, callback) => { const countdown = (n) => n === 0 ? callback(null, 'lift-off') : setImmediate(countdown, n - 1); countdown(50); };

// fan-in
exports.fan_in_results_in_order = (event, context, callback) => { const results = []; let left = 5; for (let i = 0; i < 5; i++) later(12 - 2 * i, () => { results[i] = i * i; if (--left === 0) callback(null, results); }); };
exports.fan_in_as_they_end = (event, context, callback) => { const ended = []; const delays = [25, 5, 15]; delays.forEach((ms) => later(ms, () => { ended.push(ms); if (ended.length === delays.length) callback(null, ended); })); };
exports.fan_in_first_error = (event, context, callback) => { let left = 3; const done = (err) => { if (err) return callback(err); if (--left === 0) callback(null, 'all'); }; later(1, () => done()); later(3, () => done(new Error('the second failed'))); later(5, () => done(new Error('the third failed'))); };
exports.fan_in_of_nothing = (event, context, callback) => { let left = 0; [].forEach(() => { if (--left === 0) callback(null, 'all'); }); };
exports.fan_in_partial = (event, context, callback) => { const failures = []; let left = 4; for (let i = 0; i < 4; i++) later(i, () => { if (i % 2) failures.push({ itemIdentifier: `m${i}` }); if (--left === 0) callback(null, { batchItemFailures: failures }); }); };
exports.fan_in_promise_all = (event, context, callback) => { Promise.all([work(1), wait(6).then(() => 'two'), 3]).then((values) => callback(null, values)).catch(callback); };
exports.fan_in_promise_all_rejects = (event, context, callback) => { Promise.all([work(1), wait(60).then(() => { throw new Error('slow'); }), failing(new Error('fast'))]).then((values) => callback(null, values)).catch(callback); };
exports.fan_in_all_settled = (event, context, callback) => { Promise.allSettled([work(1), failing(new Error('lost'))]).then((all) => callback(null, all.map((one) => one.status === 'fulfilled' ? one.value : one.reason.message))); };

// races
exports.race_error_wins = (event, context, callback) => { later(30, () => callback(null, 'slow')); later(3, () => callback(new Error('fast'))); };
exports.race_error_too_late = (event, context, callback) => { later(3, () => callback(null, 'fast')); later(20, () => callback(new Error('slow'))); };
exports.race_promise = (event, context, callback) => { Promise.race([wait(20).then(() => 'slow'), work('fast')]).then((value) => callback(null, value)); };
exports.race_any = (event, context, callback) => { Promise.any([failing(new Error('first')), wait(8).then(() => 'second')]).then((value) => callback(null, value)); };
exports.race_timeout_cleared = (event, context, callback) => { const timeout = later(60000, () => callback(new Error('timed out'))); read('order', (err, text) => { clearTimeout(timeout); callback(err, text); }); };
exports.race_timeout_fires = (event, context, callback) => { const timeout = later(5, () => callback(named('Timeout', 'no response within 5 ms'))); const slow = later(60000, () => { clearTimeout(timeout); callback(null, 'slow'); }); later(8, () => clearTimeout(slow)); };
exports.race_of_ten = (event, context, callback) => { for (let i = 10; i > 0; i--) later(3 * i, () => callback(null, i)); };

// promise chains
exports.chain_finally = (event, context, callback) => { const log = []; work('value').then((value) => log.push(value)).finally(() => log.push('finally')).then(() => callback(null, log)); };
exports.chain_finally_after_error = (event, context, callback) => { const log = []; failing(new Error('lost')).catch((err) => log.push(err.message)).finally(() => log.push('finally')).then(() => callback(null, log)); };
exports.chain_finally_after_callback_x2 = (event, context, callback) => { const seen = ended; work('value').then((value) => callback(null, `${value} after ${seen}`)).finally(() => { ended++; }); };
exports.chain_throws_after_callback = (event, context, callback) => { work('value').then((value) => { callback(null, value); throw new Error('after'); }).catch(callback); };
exports.chain_throws_unhandled = (event, context, callback) => { work('value').then((value) => { callback(null, value); throw new Error('after'); }); };
exports.chain_rejects_unhandled = (event, context, callback) => { failing(new RangeError('nobody catches it')).then((value) => callback(null, value)); };
exports.chain_throw_reaches_catch = (event, context, callback) => { work('value').then(() => { throw named('BadValue', 'thrown in then'); }).then(() => callback(null, 'not reached')).catch(callback); };
exports.chain_catch_recovers = (event, context, callback) => { failing('lost').catch((text) => `recovered from ${text}`).then((value) => callback(null, value), callback); };
exports.chain_rethrows_text = (event, context, callback) => { failing(new Error('lost')).catch((err) => { throw `wrapped: ${err.message}`; }).catch(callback); };
exports.chain_rejects_with_text = (event, context, callback) => { failing('only a text').then((value) => callback(null, value)).catch(callback); };

// thrown
exports.throw_null = () => { throw null; };
exports.throw_number = () => { throw 7; };
exports.throw_object = () => { throw { code: 7 }; };
exports.throw_named = () => { throw named('BadRequest', 'name is missing'); };
exports.throw_after_succeed = (event, context) => { context.succeed('succeeded'); throw new Error('after'); };
exports.throw_after_fail = (event, context) => { context.fail(new Error('failed')); throw new Error('after'); };
exports.throw_in_helper = (event) => { const check = (n) => { if (n > 2) throw new RangeError(`${n} is too many`); }; check(event.n); };
exports.throw_caught = (event, context, callback) => { try { throw new Error('inside'); } catch (err) { callback(null, err.message); } };
exports.throw_in_timer = (event, context, callback) => { later(2, () => { if (event.n) throw new RangeError('in a timer'); callback(null, 'not reached'); }); };
exports.throw_in_timer_of_nobody = () => { later(2, () => { throw new Error('in a timer'); }); };
exports.throw_is_a_panic = () => { throw new Error('a bug'); };
exports.throw_is_a_panic_after_callback = (event, context, callback) => { callback(null, 'first'); throw new Error('a bug'); };
exports.throw_is_a_panic_in_timer = (event, context, callback) => { later(2, () => { if (event.n) throw new Error('a bug'); callback(null, 'not reached'); }); };
exports.throw_in_timer_after_error = (event, context, callback) => { later(2, () => { callback(new Error('signalled')); throw new Error('after'); }); };

// the event loop
exports.hold_false_after_call = (event, context, callback) => { hold(); callback(null, 'deferred'); context.callbackWaitsForEmptyEventLoop = false; };
exports.hold_string_error = (event, context, callback) => { hold(); callback('at once'); };
exports.hold_fail = (event, context) => { hold(); context.fail(new Error('at once')); };
exports.hold_succeed = (event, context) => { hold(); context.succeed('at once'); };
exports.hold_async_return = async (event) => { hold(); return 'at once'; };
exports.hold_async_throw = async (event) => { hold(); throw new Error('at once'); };
exports.hold_throw = (event) => { hold(); throw new Error('at once'); };
exports.hold_until_called = (event, context, callback) => { hold(() => callback(null, 'called late')); };
exports.hold_until_failed = (event, context, callback) => { hold(() => callback(new Error('failed late'))); };
exports.hold_then_done_is_late = (event, context, callback) => { hold(); callback(null, 'deferred'); later(2, () => context.done(null, 'done')); };
exports.hold_then_error_is_late = (event, context, callback) => { hold(); callback(null, 'deferred'); callback(new Error('late')); };
exports.hold_then_throw = (event, context, callback) => { hold(() => { throw new Error('while it was deferred'); }); callback(null, 'deferred'); };
exports.hold_spawns_more = (event, context, callback) => { hold(() => later(5, () => { })); callback(null, 'deferred'); };
exports.hold_changed_result = (event, context, callback) => { const result = ['at the call']; hold(() => result.push('while deferred')); callback(null, result); };
exports.hold_never_called = (event) => { hold(); };

// unfinished tasks of an earlier invocation
exports.leftover_result = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; if (event.hold) hold(() => { leftovers++; }); callback(null, leftovers); };
exports.leftover_error = (event, context, callback) => { if (event.hold) hold(() => { leftovers++; }); callback(new Error(`leftovers: ${leftovers}`)); };
exports.leftover_succeed = (event, context) => { if (event.hold) hold(() => { leftovers++; }); context.succeed(leftovers); };
exports.leftover_async = async (event) => { if (event.hold) hold(() => { leftovers++; }); return leftovers; };
exports.leftover_calls_back = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; if (event.hold) { hold(() => { leftovers++; callback(null, 'stale'); }); return context.succeed('first'); } callback(null, leftovers); };
exports.leftover_holds_the_next = (event, context, callback) => { if (event.hold) { context.callbackWaitsForEmptyEventLoop = false; hold(); } callback(null, event.hold ? 'first' : 'second'); };
exports.leftover_throws_into_the_next = (event, context, callback) => { if (event.hold) { context.callbackWaitsForEmptyEventLoop = false; hold(() => { throw new Error('left over'); }); } callback(null, event.hold ? 'first' : 'second'); };

// state kept between invocations
exports.kept_callback_x2 = (event, context, callback) => { if (kept) kept(null, 'stale'); kept = callback; callback(null, 'fresh'); };
exports.kept_callback_error_x2 = (event, context, callback) => { if (kept) kept(new Error('stale')); kept = callback; callback(null, 'fresh'); };
exports.kept_context_x2 = (event, context, callback) => { if (kept) kept.fail('stale'); kept = context; callback(null, kept.awsRequestId); };
exports.kept_flag_x2 = (event, context, callback) => { callback(null, context.callbackWaitsForEmptyEventLoop); context.callbackWaitsForEmptyEventLoop = false; };
const load = (done) => later(1, () => ++tries === 1 ? done(new Error('not yet')) : done(null, `secret ${tries}`));
exports.kept_lazy_x4 = (event, context, callback) => { if (secret) return callback(null, `${secret}, kept`); load((err, loaded) => { if (err) return callback(err); secret = loaded; callback(null, secret); }); };
exports.kept_list_x3 = (event, context, callback) => { requests.push(requests.length + 1); callback(null, requests); };
exports.kept_errors_x3 = (event, context, callback) => { tries++; if (tries === 2) throw new Error('the second'); if (tries === 3) return callback('the third'); callback(null, 'the first'); };

// names of errors
exports.name_empty = (event, context, callback) => callback(named('', 'no name'));
exports.name_unicode = (event, context, callback) => callback(named('Błąd🚀', 'not ASCII'));
exports.name_dots = (event, context, callback) => callback(named('com.example.Orders.NotFound', 'dots'));
exports.name_colons = (event, context, callback) => callback(named('orders::Missing: x', 'colons'));
exports.name_newline = (event, context, callback) => callback(named('Two\r\nLines', 'newline'));
exports.name_quotes = (event, context, callback) => callback(named('"quoted" \\ name', 'quotes'));
exports.name_very_long = (event, context, callback) => callback(named('N'.repeat(5000), 'long'));
exports.name_number = (event, context, callback) => callback(named(42, 'a number'));
exports.name_of_subclass = (event, context, callback) => { class OrderNotFound extends Error { } callback(new OrderNotFound('without a name of its own')); };
exports.name_changed = (event, context, callback) => { const err = new TypeError('renamed'); err.name = 'Renamed'; callback(err); };
exports.name_of_aggregate = (event, context, callback) => callback(new AggregateError([new Error('a'), new Error('b')], 'both failed'));
exports.name_with_code = (event, context, callback) => callback(Object.assign(named('SystemError', 'no such file'), { code: 'ENOENT', errno: -2 }));
exports.name_with_cause = (event, context, callback) => callback(new Error('outer', { cause: new Error('inner') }));

// messages of errors
exports.message_unicode = (event, context, callback) => callback(new Error('zażółć 🚀 e\u0301 日本'));
exports.message_controls = (event, context, callback) => callback(new Error('\u0000\u0001\u0008\u000b\u001b\u001f\u0080\u2028\u2029\ufeff'));
exports.message_delete = (event, context, callback) => callback(new Error('delete \u007f'));
exports.message_escapes = (event, context, callback) => callback(new Error('"\\/\b\f\n\r\t</script>\'&'));
exports.message_crlf = (event, context, callback) => callback(new Error('one\r\ntwo\n\nthree\n'));
exports.message_very_long = (event, context, callback) => callback(new Error('long '.repeat(5000)));
exports.message_json = (event, context, callback) => callback(new Error(JSON.stringify({ httpStatus: 404, message: '"none"' })));
exports.message_prefix = (event, context, callback) => callback(new Error('[404] Not Found'));
exports.message_as_text = (event, context, callback) => callback(null, [String(named('Named', 'text')), String(named('Named', '')), String(new Error('')), `${new TypeError('x')}`]);
exports.message_as_text_without_name = (event, context, callback) => callback(null, String(named('', 'text')));

// errors that are not of the class `Error`
const like = (name, message, stack) => ({ name, message, stack });
exports.like_error = (event, context, callback) => callback(like('Mine', 'like an error', 'Mine: like an error\n    at here'));
exports.like_error_and_more = (event, context, callback) => callback({ code: 7, ...like('Mine', 'like an error', 'stack') });
exports.like_error_no_stack = (event, context, callback) => callback({ name: 'Mine', message: 'no stack' });
exports.like_error_empty_message = (event, context, callback) => callback(like('Mine', '', 'stack'));
exports.like_error_number_name = (event, context, callback) => callback(like(7, 'message', 'stack'));
exports.like_error_thrown = () => { throw like('Mine', 'thrown', 'stack'); };
exports.value_nested_array = (event, context, callback) => callback([[1, [2, null]], [], ['a', {}, [true]], '']);
exports.value_empty_array = (event, context, callback) => callback([]);
exports.value_empty_object = (event, context, callback) => callback({});
exports.value_numbers = (event, context, callback) => callback([0.1, -0, 1e21, 1e20, 1e-7, 0.000001, 123456789.125, -1.5e300]);
exports.value_huge = (event, context, callback) => callback(1e21);
exports.value_negative_zero = (event, context, callback) => callback(-0);
exports.value_nan = (event, context, callback) => callback(NaN);
exports.value_infinity = (event, context, callback) => callback(-Infinity);
exports.value_fraction = (event, context, callback) => callback(0.1 + 0.2);
exports.value_text_unicode = (event, context, callback) => callback('żółć 🚀\n"\\\u0001');
exports.value_text_long = (event, context, callback) => callback('x'.repeat(20000));

// results
exports.result_long = (event, context, callback) => callback(null, { text: 'x'.repeat(32 * 1024) });
exports.result_long_unicode = (event, context, callback) => callback(null, 'ż🚀'.repeat(5000));
exports.result_many_numbers = (event, context, callback) => callback(null, Array.from({ length: 5000 }, (_, i) => i * 3));
exports.result_many_keys = (event, context, callback) => callback(null, Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`key ${(i * 7919) % 1000}`, i])));
exports.result_100_deep = (event, context, callback) => { let deep = 'bottom'; for (let i = 0; i < 100; i++) deep = i % 2 ? { deep } : [deep]; callback(null, deep); };
exports.result_1000_deep = (event, context, callback) => { let deep = null; for (let i = 0; i < 1000; i++) deep = { deep }; callback(null, deep); };
exports.result_controls = (event, context, callback) => callback(null, Array.from({ length: 0xa1 }, (_, i) => String.fromCodePoint(i)).join(''));
exports.result_escapes = (event, context, callback) => callback(null, { '"\\/\n': '</script>\u2028\u2029\ufeff\ufffd\uffff', '': 'empty', 'ключ': '\u{10ffff}' });
exports.result_key_order = (event, context, callback) => callback(null, { z: 1, a: 2, Z: 3, _: 4, 'a b': 5, nested: { y: 1, x: 2 } });
exports.result_number_keys = (event, context, callback) => callback(null, { b: 1, 10: 2, 9: 3 });
exports.result_numbers = (event, context, callback) => callback(null, [0, -1, 9007199254740991, -9007199254740991, 0.1 + 0.2, 5e-324, 2.220446049250313e-16, 1e-7, 1.5, -0.001, 123456.789]);
exports.result_numbers_e = (event, context, callback) => callback(null, [1.7976931348623157e308, 1e21, 0.000001, 1e20]);
exports.result_whole_floats = (event, context, callback) => callback(null, [1.0, -0.0, 100.0]);
exports.result_not_numbers = (event, context, callback) => callback(null, [NaN, Infinity, -Infinity]);
exports.result_holes = (event, context, callback) => callback(null, [undefined, null, [undefined], {}]);
exports.result_empties = (event, context, callback) => callback(null, ['', [], {}, null, false, 0]);
exports.result_json_text = (event, context, callback) => callback(null, JSON.stringify(JSON.stringify({ a: '"' })));

// events, echoed
exports.echo_changed = (event, context, callback) => { event.response = { ok: true }; delete event.name; event.n = null; callback(null, event); };

// context.done, fail and succeed
exports.done_both = (event, context) => context.done(new Error('beats the result'), 'result');
exports.done_nothing = (event, context) => context.done();
exports.done_text = (event, context) => context.done('only a text');
exports.done_zero = (event, context) => context.done(0);
exports.done_then_callback = (event, context, callback) => { context.done(null, 'done'); callback(null, 'callback'); };
exports.done_circular = (event, context) => { const a = {}; a.a = a; context.done(null, a); };
exports.fail_null = (event, context) => context.fail(null);
exports.fail_false = (event, context) => context.fail(false);
exports.fail_object = (event, context) => context.fail({ code: 7 });
exports.fail_two_arguments = (event, context) => context.fail('first', 'second');
exports.fail_then_succeed = (event, context) => { context.fail('failed'); context.succeed('succeeded'); };
exports.fail_later = (event, context) => { later(2, () => context.fail(named('Late', 'failed late'))); };
exports.succeed_nothing = (event, context) => context.succeed();
exports.succeed_twice = (event, context) => { context.succeed(1); context.succeed(2); };
exports.succeed_then_fail = (event, context) => { context.succeed('succeeded'); context.fail('failed'); };
exports.succeed_later = (event, context) => { later(2, () => context.succeed({ late: true })); };
exports.callback_then_fail = (event, context, callback) => { callback(null, 'callback'); context.fail('failed'); };
exports.callback_then_succeed_later = (event, context, callback) => { callback(null, 'callback'); later(2, () => context.succeed('succeeded')); };

// async functions, and functions that return a promise
const promised = (f, ...args) => new Promise((resolve, reject) => f(...args, (err, value) => err ? reject(err) : resolve(value)));
exports.async_awaits = async () => `got ${await promised(read, 'order')}`;
exports.async_awaits_error = async () => promised(readNothing, 'order');
exports.async_catches = async () => { try { await promised(findOrder, 9); } catch (err) { return { statusCode: 404, body: `${err}` }; } };
exports.async_throws_value = async () => { throw { code: 7 }; };
exports.async_calls_back_then_throws = async (event, context, callback) => { callback(null, 'first'); throw new Error('after'); };
exports.async_awaits_then_calls_back = async (event, context, callback) => { await wait(2); callback(null, 'callback'); };
exports.async_fails_context = async (event, context) => { context.fail('failed'); return 'returned'; };
exports.async_forever = async () => new Promise(() => { });
exports.async_many = async () => (await Promise.all([1, 2, 3].map((n) => work(n * n)))).reduce((sum, n) => sum + n, 0);
exports.promise_returned = () => work('promised');
exports.value_returned = () => 'nobody wants it';
