/* The pages of recurring tasks, batches and requests: a task is changed, stopped, started again and deleted, a batch is paused, given another rate
   and canceled, and requests are answered, rejected and canceled. */
import { connection, go } from './page.mjs';

async function start(page, name) {
  await go(page, 'Playground');
  await page.getByRole('button', { name, exact: true }).click();
}

async function tasks(page) {
  await start(page, 'Start a recurring task');
  await go(page, 'Recurring tasks');
  const row = page.getByRole('row').filter({ hasText: 'playground' });
  await row.getByText('Running').waitFor();
  await row.getByText('20 a minute').waitFor();
  await row.getByRole('button', { name: 'Change…' }).click();
  const form = page.getByRole('form', { name: 'Change the task' });
  await form.getByLabel('Interval').fill('soon');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByText('Enter a duration').waitFor();
  await form.getByLabel('Interval').fill('2 min');
  await form.getByLabel('Arguments').fill('{"name": "changed"}');
  await form.getByRole('button', { name: 'Save' }).click();
  await row.getByText('every 2 min').waitFor();
  await row.getByRole('button', { name: 'Stop' }).click();
  await row.getByText('Stopped').waitFor();
  await row.getByRole('button', { name: 'Start again' }).click();
  await row.getByText('Running').waitFor();
  await row.getByText('every 2 min').waitFor();
  await row.getByRole('button', { name: 'Stop' }).click();
  await row.getByRole('button', { name: 'Delete' }).click();
  await row.getByText('Really?').click();
  await page.getByText('No recurring tasks.').waitFor();
}

async function batches(page) {
  await start(page, 'Process a batch');
  await go(page, 'Batches');
  const row = page.getByRole('row').filter({ hasText: 'items' });
  await row.getByRole('button', { name: 'Pause' }).click();
  await row.getByText('Paused').waitFor();
  await row.getByRole('button', { name: 'Change rate' }).click();
  const form = page.getByRole('form', { name: 'Change the rate' });
  await form.getByLabel('Delay between pages').fill('2 min');
  await form.getByRole('button', { name: 'Save' }).click();
  await row.getByText('2 min apart').waitFor();
  const paused = page.getByRole('row').filter({ hasText: 'Paused' });
  const before = await paused.boundingBox();
  await row.getByRole('button', { name: 'Cancel' }).click();
  const question = row.getByText('Really?');
  await question.waitFor();
  const after = await paused.boundingBox();
  if (after.height !== before.height) throw new Error(`the question moves the rows: ${before.height}, ${after.height}`);
  await question.click();
  await row.getByText('Canceled').waitFor();
}

/** Text that begins like JSON is no text by mistake. */
async function refusesBrokenJson(form, label) {
  await form.getByLabel(label).fill('{oops');
  await form.getByRole('button', { name: 'Answer' }).click();
  await form.getByRole('alert').getByText('To send it as text, write "{oops".').waitFor();
}

/** Answer the newest request with the form. */
async function answer(page, { label, text, action, rejects }) {
  await start(page, 'Ask a person');
  await go(page, 'Requests');
  const row = page.getByRole('row').filter({ hasText: 'Waiting' });
  await row.getByRole('button', { name: 'Answer' }).click();
  const form = page.getByRole('form', { name: 'Answer the request' });
  if (rejects) await form.getByRole('checkbox', { name: 'Reject it' }).check();
  if (!rejects) await refusesBrokenJson(form, label);
  await form.getByLabel(label).fill(text);
  await form.getByRole('button', { name: action }).click();
  await page.getByRole('row').filter({ hasText: text }).waitFor();
}

/** Let the request that waits time out. */
async function expire(page, { baseUrl, token }) {
  const send = async (query) => {
    const headers = { authorization: `Bearer ${token}` };
    const reply = await (await page.request.post(`${baseUrl}/graphql`, { headers, data: { query } })).json();
    if (reply.errors) throw new Error(JSON.stringify(reply.errors));
    return reply.data;
  };
  const { requests } = await send('{ requests(first: 1, filter: {states: [PENDING]}) { nodes { id } } }');
  await send(`mutation { extendRequest(input: {requestId: "${requests.nodes[0].id}", timeoutMs: 1}) { requestId } }`);
}

/** A request that times out while somebody writes the answer keeps its form, and can be answered once. */
async function answerLate(page, given) {
  await start(page, 'Ask a person');
  await go(page, 'Requests');
  await page.getByRole('row').filter({ hasText: 'Waiting' }).getByRole('button', { name: 'Answer' }).click();
  const form = page.getByRole('form', { name: 'Answer the request' });
  await form.getByLabel('Result').fill('Better late');
  await expire(page, given);
  await form.getByText('It has timed out, and stays so').waitFor();
  const row = page.getByRole('row').filter({ hasText: 'Timed out' }).first();
  await form.getByRole('button', { name: 'Answer' }).click();
  await row.getByText('late', { exact: true }).waitFor();
  await row.getByText('Better late').waitFor();
  await row.getByText('by alice').waitFor();
  if ((await row.getByRole('button').count()) > 0) throw new Error('it can be answered again');
}

export default async function scenario(page, given) {
  await page.goto(`${given.baseUrl}/#/playground`);
  await connection(page, 'live');
  await tasks(page);
  await batches(page);
  await answer(page, { label: 'Result', text: 'Ship it today', action: 'Answer' });
  await answer(page, { label: 'Reason', text: 'Not yet', action: 'Reject', rejects: true });
  await answerLate(page, given);
  await go(page, 'Alerts');
  await page.getByText('No alerts').waitFor();
}
