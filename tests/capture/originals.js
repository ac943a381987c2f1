// An original that ends its invocations in every way that AWS's client knows: see tests/capture.rs.
const later = (work) => setTimeout(work, 5);
const circular = {};
circular.self = circular;

const ways = {
    callback: (event, context, callback) => callback(null, { n: 1, b: [true, null], a: 'ż' }),
    callbackUndefined: (event, context, callback) => callback(),
    callbackError: (event, context, callback) => callback(new TypeError('of the callback')),
    callbackErrorWithoutStack: (event, context, callback) => {
        const error = new Error('without a stack');
        delete error.stack;
        callback(error);
    },
    callbackErrorWithCode: (event, context, callback) => callback(Object.assign(new Error(), { message: 404 })),
    callbackText: (event, context, callback) => callback('a text'),
    callbackFalse: (event, context, callback) => callback(false),
    callbackLater: (event, context, callback) => { later(() => callback(null, 'later')); },
    callbackTwice: (event, context, callback) => { callback(null, 'first'); callback(new Error('second')); },
    callbackCircular: (event, context, callback) => callback(null, circular),
    deferred: (event, context, callback) => { later(() => {}); callback(null, 'deferred'); },
    changedLater: (event, context, callback) => {
        const result = { changed: false };
        later(() => { result.changed = true; });
        callback(null, result);
    },
    hasty: (event, context, callback) => {
        context.callbackWaitsForEmptyEventLoop = false;
        later(() => {});
        callback(null, 'hasty');
    },
    thrownLater: (event, context, callback) => {
        callback(null, 'too early');
        later(() => { throw new RangeError('thrown later'); });
    },
    thrownNullLater: () => { later(() => { throw null; }); },
    thrown: () => { throw new RangeError('thrown'); },
    thrownAfterCallback: (event, context, callback) => { callback(null, 'before it'); throw new Error('ignored'); },
    succeed: (event, context) => { later(() => {}); context.succeed({ at: 'once' }); },
    succeedCircular: (event, context) => context.succeed(circular),
    fail: (event, context) => context.fail(new Error('failed')),
    failUndefined: (event, context) => context.fail(),
    done: (event, context) => context.done(null, 'done'),
    doneError: (event, context) => context.done(Object.assign(new Error('not done'), { name: 'NotDone' })),
    returned: async () => ({ returned: true }),
    returnedLater: async () => { await new Promise(later); return 'returned later'; },
    returnedUndefined: async () => {},
    returnedCircular: async () => circular,
    rejected: async () => { throw new SyntaxError('rejected'); },
    rejectedUndefined: () => Promise.reject(),
    // As a query of a database: it runs each time `then` is called.
    thenable: () => {
        let queries = 0;
        return { then: (...signals) => Promise.resolve(++queries).then(...signals) };
    },
    serializedOnce: (event, context) => {
        context.callbackWaitsForEmptyEventLoop = false;
        context.succeed({ toJSON: () => ({ serialized: true }) });
    },
    changesItsEvent: (event, context, callback) => { event.changed = true; callback(null, event); },
    arguments: function () { arguments[2](null, [arguments.length, typeof this, ways.callback.length]); },
    unhandled: () => { later(() => Promise.reject(new Error('unhandled'))); },
    never: () => {},
    neverSettled: () => new Promise(() => {}),
    neverCalledLater: () => { later(() => {}); },
    exit: () => process.exit(3),
    exitWhileDeferred: (event, context, callback) => { callback(null, 'not sent'); later(() => process.exit(0)); },
    last: (event, context, callback) => callback(null, 'the last one'),
};

exports.ways = Object.keys(ways);
exports.handler = function (event, context, callback) {
    return ways[event.way].call(this, event, context, callback);
};
exports.handler.ways = exports.ways;

// What its event has, and what it had in its context.
exports.secrets = (event, context, callback) => {
    if (event.fails) return callback(new Error(`${event.headers.Authorization} is wrong`));
    callback(null, { ...event, name: context.functionName });
};
