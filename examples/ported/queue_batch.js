// Processes a batch of messages from an SQS queue. It reports the messages that failed, so that only these are
// delivered again. If all of them failed, it fails the whole batch.
const seen = new Set();

const ship = (order, done) => setTimeout(() => {
    if (order.address === 'nowhere') return done(new Error('no such address'));
    done(null, { tracking: `T${order.id}` });
}, order.id % 3);

const work = (record, done) => {
    let order;
    try {
        order = JSON.parse(record.body);
    } catch (err) {
        return done(new Error(`${record.messageId} is not JSON`));
    }
    if (seen.has(record.messageId)) return done(null, { skipped: true });
    ship(order, (err, shipped) => {
        if (err) return done(new Error(`order ${order.id}: ${err.message}`));
        seen.add(record.messageId);
        done(null, shipped);
    });
};

exports.handler = (event, context, callback) => {
    const records = event.Records;
    const failed = new Set();
    let left = records.length;
    let last;
    const end = () => {
        if (records.length > 1 && failed.size === records.length) {
            return callback(Object.assign(new Error(`all ${failed.size} failed, such as: ${last.message}`), { name: 'BatchFailed' }));
        }
        callback(null, {
            batchItemFailures: records.filter((record) => failed.has(record.messageId)).map((record) => ({ itemIdentifier: record.messageId })),
        });
    };
    if (left === 0) return end();
    for (const record of records) {
        work(record, (err) => {
            if (err) {
                failed.add(record.messageId);
                last = err;
            }
            if (--left === 0) end();
        });
    }
};
