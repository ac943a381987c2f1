// Forwards CloudWatch alarms with a token. KMS has encrypted the token, which is decrypted once.
const AWS = require('aws-sdk');

const kms = new AWS.KMS({ endpoint: process.env.AWS_ENDPOINT_URL });

let token;

const forward = (event, callback) => {
    const alarm = JSON.parse(event.Records[0].Sns.Message);
    callback(null, { authorization: `Bearer ${token}`, text: `${alarm.AlarmName} is ${alarm.NewStateValue}` });
};

exports.handler = (event, context, callback) => {
    if (token) return forward(event, callback);
    kms.decrypt({ CiphertextBlob: Buffer.from(event.encryptedToken, 'base64'), KeyId: event.keyId }, (err, data) => {
        if (err) {
            console.log('Decrypt error:', err);
            return callback(err);
        }
        token = data.Plaintext.toString('ascii');
        forward(event, callback);
    });
};
