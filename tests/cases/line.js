// The line to the test. What the test says is echoed, and when it hangs up `f` is run.
const net = require('net');

const connect = (address) => {
    const [host, port] = address.split(':');
    return net.connect({ host, port, allowHalfOpen: true });
};

exports.hold = (event, f = () => { }) => {
    const line = connect(event.until);
    line.on('data', (said) => line.write(said));
    line.on('end', () => { f(); line.end(); });
};

// Says that the invocation has begun.
exports.begun = (event) => event.begun && connect(event.begun).end().resume();
