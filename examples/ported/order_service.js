// A service for orders behind an API Gateway REST API. Its table has an error-first API.
const orders = new Map([['7', { id: '7', sku: 'tea', quantity: 2, cents: 900 }]]);
const prices = { tea: 450, coffee: 700 };

const failure = (name, message) => Object.assign(new Error(message), { name });

const table = {
    get: (id, done) => setImmediate(() => {
        if (id === 'throttled') return done(failure('ThroughputExceeded', 'the table is busy'));
        done(null, orders.get(id));
    }),
    list: (done) => setImmediate(() => done(null, [...orders.values()])),
    put: (order, done) => setImmediate(() => {
        if (orders.has(order.id)) return done(failure('ConditionFailed', `order ${order.id} exists`));
        orders.set(order.id, order);
        done(null, order);
    }),
    remove: (id, done) => setImmediate(() => done(null, orders.delete(id))),
};

const validate = (body) => {
    let order;
    try {
        order = JSON.parse(body);
    } catch {
        return { problems: ['the body is not JSON'] };
    }
    const problems = [];
    if (typeof order.id !== 'string' || order.id === '') problems.push('id is missing');
    if (!(order.sku in prices)) problems.push(`no such sku: ${order.sku}`);
    if (!Number.isInteger(order.quantity)) problems.push('quantity is not a whole number');
    else if (order.quantity < 1 || order.quantity > 99) problems.push(`quantity ${order.quantity} is not within 1 and 99`);
    return { order, problems };
};

exports.handler = (event, context, callback) => {
    const respond = (statusCode, body) => callback(null, {
        statusCode,
        headers: { 'content-type': 'application/json', 'x-request-id': context.awsRequestId },
        body: JSON.stringify(body),
    });
    const fail = (err) => {
        if (err.name === 'ConditionFailed') return respond(409, { message: err.message });
        if (err.name === 'ThroughputExceeded') return respond(503, { message: 'try again' });
        callback(err);
    };
    const id = (event.pathParameters || {}).id;

    switch (`${event.httpMethod} ${event.resource}`) {
        case 'GET /orders':
            return table.list((err, all) => err ? fail(err) : respond(200, { count: all.length, orders: all }));
        case 'GET /orders/{id}':
            return table.get(id, (err, order) => {
                if (err) return fail(err);
                if (!order) return respond(404, { message: `no order ${id}` });
                respond(200, order);
            });
        case 'POST /orders': {
            const { order, problems } = validate(event.body);
            if (problems.length > 0) return respond(400, { message: 'not a valid order', problems });
            const { id, sku, quantity } = order;
            return table.put({ id, sku, quantity, cents: quantity * prices[sku] }, (err, saved) => {
                if (err) return fail(err);
                respond(201, saved);
            });
        }
        case 'DELETE /orders/{id}':
            return table.remove(id, (err, existed) => {
                if (err) return fail(err);
                respond(existed ? 204 : 404, null);
            });
        default:
            throw failure('NoSuchRoute', `${event.httpMethod} ${event.resource}`);
    }
};
