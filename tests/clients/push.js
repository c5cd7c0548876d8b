// Pushes and deletes with the Node client prom-client.
//
// Usage: push.js GATEWAY_URL push|add|delete [gzip]
const client = require('prom-client');

const [gateway, verb, compression] = process.argv.slice(2);
const headers = compression === 'gzip' ? { 'Content-Encoding': 'gzip' } : {};
const registry = new client.Registry();
const pusher = new client.Pushgateway(gateway, { headers }, registry);
const group = { jobName: 'node batch', groupings: { instance: 'db 1', stadt: 'Köln' } };
const registers = [registry];

function everything() {
  new client.Gauge({ name: 'batch_last_success_unixtime', help: 'Last success', registers }).set(1.5e9);
  const rows = new client.Counter({ name: 'batch_rows_total', help: 'Rows', labelNames: ['table'], registers });
  rows.inc({ table: 'orders' }, 12);
  rows.inc({ table: 'users "new"\n' }, 3);
  const steps = new client.Histogram({ name: 'batch_step_seconds', help: 'Steps', buckets: [0.1, 1, 10], registers });
  steps.observe(0.5);
  steps.observe(5);
  new client.Summary({ name: 'batch_size_bytes', help: 'Sizes', percentiles: [0.5], registers }).observe(2048);
}

async function run() {
  switch (verb) {
    case 'push':
      everything();
      return pusher.push(group);
    case 'add':
      new client.Gauge({ name: 'batch_retries', help: 'Retries', registers }).set(2);
      return pusher.pushAdd(group);
    case 'delete':
      return pusher.delete(group);
    default:
      throw new Error(`no such verb: ${verb}`);
  }
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});
