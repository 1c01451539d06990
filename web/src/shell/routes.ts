import type { ComponentType } from "preact";

export interface PageProps {
  parameters: Record<string, string>;
}

interface Route {
  pattern: string;
  title: string;
  load: () => Promise<{ default: ComponentType<PageProps> }>;
}

/** Every page and its address. A page is loaded when it is first shown. */
export const ROUTES: readonly Route[] = [
  { pattern: "/", title: "Jobs", load: () => import("../pages/jobs/JobsPage") },
  { pattern: "/jobs", title: "Jobs", load: () => import("../pages/jobs/JobsPage") },
  { pattern: "/jobs/new", title: "New job", load: () => import("../pages/new-job/NewJobPage") },
  { pattern: "/jobs/compare", title: "Comparison", load: () => import("../pages/compare/ComparePage") },
  { pattern: "/jobs/:id/*", title: "Job", load: () => import("../pages/job/JobPage") },
  { pattern: "/datasets", title: "Data sets", load: () => import("../pages/datasets/DatasetsPage") },
  { pattern: "/datasets/:id", title: "Data set", load: () => import("../pages/datasets/DatasetPage") },
  { pattern: "/workers", title: "Workers", load: () => import("../pages/workers/WorkersPage") },
  { pattern: "/keys", title: "Keys", load: () => import("../pages/keys/KeysPage") },
  { pattern: "/webhooks", title: "Webhooks", load: () => import("../pages/webhooks/WebhooksPage") },
  { pattern: "/webhooks/:id", title: "Webhook", load: () => import("../pages/webhooks/WebhookPage") },
  { pattern: "/audit", title: "Audit", load: () => import("../pages/audit/AuditPage") },
  { pattern: "/catalog", title: "Catalogue", load: () => import("../pages/catalog/CatalogPage") },
  { pattern: "/reference", title: "API reference", load: () => import("../pages/reference/ReferencePage") },
];

/** What the navigation shows. `scope`: only keys that have it can use the page. */
export const NAVIGATION: readonly { href: string; label: string; scope?: string }[] = [
  { href: "/jobs", label: "Jobs" },
  { href: "/datasets", label: "Data sets" },
  { href: "/catalog", label: "Catalogue" },
  { href: "/workers", label: "Workers", scope: "admin" },
  { href: "/keys", label: "Keys" },
  { href: "/webhooks", label: "Webhooks", scope: "admin" },
  { href: "/audit", label: "Audit", scope: "admin" },
  { href: "/reference", label: "API" },
];
