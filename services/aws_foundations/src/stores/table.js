/** The latest entries of each author, in DynamoDB: partition key `author`, sort key `entry` ("<at>#<id>"). */
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { clientOptions } from './clients.js';

export function openTable({ region, table }) {
  const client = new DynamoDBClient(clientOptions(region));
  const keyOf = ({ author, at, id }) => ({ author: { S: author }, entry: { S: `${at}#${id}` } });

  return {
    async put(entry) {
      const Item = { ...keyOf(entry), id: { S: entry.id }, at: { S: entry.at }, text: { S: entry.text } };
      const command = new PutItemCommand({
        TableName: table,
        Item,
        ConditionExpression: 'attribute_not_exists(entry)', // a replay writes nothing
      });
      try {
        await client.send(command);
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    },

    async find(entry) {
      const command = new GetItemCommand({ TableName: table, Key: keyOf(entry), ConsistentRead: true });
      const { Item } = await client.send(command);
      return Item ? fromItem(Item) : null;
    },

    async latest(author, limit) {
      const command = new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'author = :author',
        ExpressionAttributeValues: { ':author': { S: author } },
        ScanIndexForward: false,
        Limit: limit,
      });
      return ((await client.send(command)).Items ?? []).map(fromItem);
    },

    async check() {
      const nobody = { author: { S: '-' }, entry: { S: '-' } }; // needs no further permission
      await client.send(new GetItemCommand({ TableName: table, Key: nobody }));
    },

    async close() {
      client.destroy();
    },
  };
}

function fromItem({ id, author, at, text }) {
  return { id: id.S, author: author.S, at: at.S, text: text.S };
}
