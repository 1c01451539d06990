import type { Action } from "../../api/schema";

// An object, so that the compiler notices an action that is missing here.
const NAMES: Record<Action, true> = {
  "job.create": true,
  "job.fork": true,
  "job.cancel": true,
  "job.pause": true,
  "job.resume": true,
  "job.retry": true,
  "job.delete": true,
  "job.restore": true,
  "job.edit": true,
  "job.edit_withdraw": true,
  "job.rollback": true,
  "dataset.create": true,
  "dataset.upload": true,
  "dataset.delete": true,
  "key.create": true,
  "key.change": true,
  "key.rotate": true,
  "key.revoke": true,
  "session.create": true,
  "session.delete": true,
  "session.link": true,
  "webhook.create": true,
  "webhook.delete": true,
  "webhook.rotate": true,
  "webhook.enable": true,
  "webhook.send": true,
  refused: true,
};

/** Every action of the audit. */
export const ACTIONS = Object.keys(NAMES) as Action[];
