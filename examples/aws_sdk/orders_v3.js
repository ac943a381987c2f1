// Orders in DynamoDB, with the callbacks of version 3 of the AWS SDK: `orders.js` after its migration.
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
const { DynamoDBDocument } = require('@aws-sdk/lib-dynamodb');

const documents = DynamoDBDocument.from(new DynamoDBClient({}));

const respond = (callback, statusCode, body) => callback(null, { statusCode, body: JSON.stringify(body) });

const read = (id, callback) => documents.get({ TableName: 'orders', Key: { id } }, (err, data) => {
    if (err) return callback(err);
    if (!data.Item) return respond(callback, 404, { message: `no order ${id}` });
    const { sku, quantity, customer } = data.Item;
    documents.get({ TableName: 'customers', Key: { id: customer } }, (err, data) => {
        if (err) return callback(err);
        const name = data.Item ? data.Item.name : null;
        respond(callback, 200, { id, sku, quantity, customer: name });
    });
});

const place = (order, callback) => {
    const { id, sku, quantity } = order;
    documents.put({
        TableName: 'orders',
        Item: order,
        ConditionExpression: 'attribute_not_exists(id)',
    }, (err) => {
        if (err && err.name === 'ConditionalCheckFailedException') {
            return respond(callback, 409, { message: `order ${id} exists` });
        }
        if (err) return callback(err);
        documents.update({
            TableName: 'stock',
            Key: { sku },
            UpdateExpression: 'SET pieces = pieces - :quantity',
            ConditionExpression: 'pieces >= :quantity',
            ExpressionAttributeValues: { ':quantity': quantity },
            ReturnValues: 'UPDATED_NEW',
        }, (err, data) => {
            if (err) return callback(err);
            respond(callback, 201, { id, pieces: data.Attributes.pieces });
        });
    });
};

exports.handler = (event, context, callback) => {
    if (event.action === 'read') return read(event.id, callback);
    if (event.action === 'place') return place(event.order, callback);
    documents.scan({ TableName: event.table, Limit: event.limit }, (err, data) => callback(err, data && data.Count));
};
