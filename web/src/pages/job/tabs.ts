import type { ComponentType } from "preact";
import type { Job } from "../../api/schema";
import type { JobFeed } from "./feed";

export interface JobTabProps {
  job: Job;
  feed: JobFeed; // the page's one stream of events
  reload: () => void; // read the job again, after something that changed it
}

interface JobTab {
  id: string;
  label: string;
  load: () => Promise<{ default: ComponentType<JobTabProps> }>;
}

/** The parts of a job's page, each at /jobs/ID/TAB; the first one is at /jobs/ID too. */
export const TABS: readonly JobTab[] = [
  { id: "curves", label: "Curves", load: () => import("./curves/CurvesTab") },
  { id: "network", label: "Network", load: () => import("./network/NetworkTab") },
  { id: "surgery", label: "Surgery", load: () => import("./surgery/SurgeryTab") },
  { id: "evaluation", label: "Evaluation", load: () => import("./evaluation/EvaluationTab") },
  { id: "predict", label: "Try it", load: () => import("./predict/PredictTab") },
  { id: "checkpoints", label: "Checkpoints", load: () => import("./checkpoints/CheckpointsTab") },
  { id: "events", label: "Events", load: () => import("./events/EventsTab") },
  { id: "spec", label: "Spec", load: () => import("./spec/SpecTab") },
];
