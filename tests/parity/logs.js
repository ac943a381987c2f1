// Originals for tests/parity/logs.rs.
console.log('while it is loaded');

exports.handler = (event, context, callback) => {
    if (event.count) {
        for (let n = 0; n < event.count; n++) console.log('line', n);
    }
    console.log('order %d', event.n);
    console.info('two\nlines');
    console.warn('ż', 'is rare');
    console.debug('in detail');
    console.error('wrong:', new RangeError('far'));
    console.error(new TypeError('near'));
    // Nobody knows its level.
    process.stdout.write('raw\n');
    if (event.thrown) {
        return setImmediate(() => { console.error('last words'); throw new TypeError('thrown'); });
    }
    if (event.fails) return callback(new TypeError('failed'));
    process.stdout.write('without an end');
    callback(null, event.n);
};
