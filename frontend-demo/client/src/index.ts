/** Live lists without a framework, and clients that resume. */
export { LiveError } from './liveError.js';
export { LiveList } from './liveList.js';
export type { LiveOptions, LiveSink, LiveSource, LiveView } from './liveList.js';
export type { LiveData, RowOf, Versioned } from './message.js';
export type { Page } from './rows.js';
export { resumable } from './resumable.js';
export type { Payload, Sink, Subscribing } from './resumable.js';
export type { Problem, Result } from './result.js';
