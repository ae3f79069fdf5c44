import { buildSchema } from 'graphql';
import { expect, test } from 'vitest';
import sdl from '../../../schema/schema.graphql?raw';
import { FIELDS } from '../src/message.js';

/** Subscriptions to figures and to log lines, which have no objects. */
const WITHOUT_OBJECTS = ['activityChanged', 'jobLogsChanged', 'statsChanged'];

test('a live list can follow every subscription to objects', () => {
  const subscriptions = buildSchema(sdl).getSubscriptionType()?.getFields() ?? {};
  const withObjects = Object.keys(subscriptions).filter((name) => !WITHOUT_OBJECTS.includes(name));
  expect(Object.keys(FIELDS).sort()).toEqual(withObjects.sort());
});
