/** One record an entry, in Kafka on MSK: key is the author, so that an author's entries stay in order. */
import { GetBootstrapBrokersCommand, KafkaClient } from '@aws-sdk/client-kafka';
import { generateAuthToken } from 'aws-msk-iam-sasl-signer-js';
import kafkajs from 'kafkajs';
import { once } from '../bounds.js';
import { clientOptions } from './clients.js';

const ALL_IN_SYNC_REPLICAS = -1;

export function openTopic({ region, kafka: { cluster, topic, partitions, replication } }, log) {
  const control = new KafkaClient(clientOptions(region));
  let connected;

  const connect = once(async () => {
    const brokers = await control.send(new GetBootstrapBrokersCommand({ ClusterArn: cluster }));
    const kafka = new kafkajs.Kafka({
      clientId: 'guestbook',
      ...access(brokers, region, log),
      connectionTimeout: 1_000,
      authenticationTimeout: 1_500,
      requestTimeout: 1_500,
      retry: { retries: 1, initialRetryTime: 100 }, // tries are counted in one place, ../bounds.js
      logLevel: kafkajs.logLevel.NOTHING, // what it would say comes out of its calls as errors
    });
    const admin = kafka.admin();
    const producer = kafka.producer({
      idempotent: false, // the entry's id is what makes a repeat harmless, across restarts too
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    try {
      await Promise.all([admin.connect(), producer.connect()]);
    } catch (error) {
      await disconnect({ admin, producer }); // one of the two may have got through
      throw error;
    }
    connected = { admin, producer };
    return connected;
  });

  const prepare = once(async () => {
    const { admin } = await connect();
    if ((await admin.listTopics()).includes(topic)) return;
    const wanted = { topic, numPartitions: partitions, replicationFactor: replication };
    await admin.createTopics({ topics: [wanted] }); // resolves to false where another instance was first
  });

  return {
    prepare,

    async send(entry) {
      await prepare();
      const { producer } = await connect();
      const [written] = await producer.send({
        topic,
        acks: ALL_IN_SYNC_REPLICAS,
        timeout: 1_500,
        messages: [{ key: entry.author, value: JSON.stringify(entry) }],
      });
      return { partition: written.partition, offset: Number(written.baseOffset) };
    },

    async check() {
      await prepare();
      const { admin } = await connect();
      await admin.fetchTopicMetadata({ topics: [topic] });
    },

    async close() {
      control.destroy();
      if (connected) await disconnect(connected);
    },
  };
}

async function disconnect({ admin, producer }) {
  await Promise.allSettled([admin.disconnect(), producer.disconnect()]);
}

/** How to reach the brokers: with IAM over TLS where the cluster has it, else in plain text. */
function access({ BootstrapBrokerStringSaslIam: withIam, BootstrapBrokerString: plain }, region, log) {
  if (withIam) {
    const oauthBearerProvider = async () => ({ value: (await generateAuthToken({ region })).token });
    return {
      brokers: withIam.split(','),
      ssl: true,
      sasl: { mechanism: 'oauthbearer', oauthBearerProvider },
    };
  }
  if (!plain) throw new Error('the Kafka cluster offers neither IAM nor plain text');
  log.warn('this Kafka cluster has no IAM authentication: records travel in plain text');
  return { brokers: plain.split(',') };
}
