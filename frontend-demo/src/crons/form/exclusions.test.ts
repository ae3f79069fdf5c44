import { expect, test } from 'vitest';
import { NO_EXCLUSIONS, describeExclusions, formatDays, parseDays, readExclusions } from './exclusions';

const DAYS = { dates: ['2030-12-24'], ranges: [{ first: '2030-12-27', last: '2031-01-01' }] };

test('days and ranges are read as they are written', () => {
  expect(parseDays(formatDays(DAYS))).toEqual(DAYS);
  expect(parseDays('2030-12-27..2031-01-01\n\n2030-12-24,')).toEqual(DAYS);
  expect(parseDays('  ')).toEqual({ dates: [], ranges: [] });
});

test.each(['24.12.2030', 'tomorrow', '2030-12-24 2030-12-25', '2030-12-24 to'])('%j is no day', (text) => {
  expect(parseDays(`2030-12-24, ${text}`)).toEqual({ invalid: text });
});

test('what is entered is read, with the weekdays in their order', () => {
  const values = new FormData();
  values.append('weekday', 'SUNDAY');
  values.append('weekday', 'SATURDAY');
  values.append('exclusions', '2030-12-24');
  values.append('calendar', 'holidays');
  const entered = { weekdays: ['SATURDAY', 'SUNDAY'], dates: ['2030-12-24'], ranges: [], calendar: 'holidays' };
  expect(readExclusions(values)).toEqual(entered);
  values.set('exclusions', 'Christmas');
  expect(readExclusions(values)).toMatchObject({ message: expect.stringContaining("'Christmas' is no day") });
});

test('exclusions are described in a line', () => {
  expect(describeExclusions(NO_EXCLUSIONS)).toBeNull();
  expect(describeExclusions({ ...DAYS, weekdays: ['SUNDAY'], calendar: 'holidays' })).toBe(
    'Sun; 2030-12-24, 2030-12-27 to 2031-01-01; calendar holidays',
  );
});
