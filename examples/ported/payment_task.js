// A task in a Step Functions state machine, whose `Retry` and `Catch` fields match the name of an error.
class InvalidRequest extends Error {
    constructor(message) { super(message); this.name = 'InvalidRequest'; }
}
class CardDeclined extends Error {
    constructor(reason) { super(`the card was declined: ${reason}`); this.name = 'CardDeclined'; this.reason = reason; }
}

const payments = {};
let calls = 0;

const gateway = async ({ card, cents }) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    calls++;
    if (card.endsWith('0002')) throw new CardDeclined('insufficient_funds');
    if (card.endsWith('0069')) throw new CardDeclined('expired_card');
    if (card.endsWith('0119')) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    return { id: `ch_${calls}`, cents };
};

const check = (event) => {
    for (const member of ['order', 'card', 'cents']) {
        if (event[member] === undefined) throw new InvalidRequest(`${member} is missing`);
    }
    if (event.cents <= 0) throw new InvalidRequest(`${event.cents} cents cannot be paid`);
};

const pay = async (event) => {
    if (payments[event.order]) return { ...payments[event.order], repeated: true };
    try {
        payments[event.order] = await gateway(event);
    } catch (err) {
        if (err.code !== 'ECONNREFUSED') throw err;
        const unavailable = new Error(`the gateway cannot be reached: ${err}`, { cause: err });
        unavailable.name = 'GatewayUnavailable';
        throw unavailable;
    }
    return payments[event.order];
};

exports.handler = (event, context, callback) => {
    check(event);
    if (event.dryRun) return callback(null, { order: event.order, status: 'checked' });
    pay(event)
        .then(({ id, cents, repeated }) => callback(null, { order: event.order, status: 'paid', charge: id, cents, repeated }))
        .catch(callback);
};
