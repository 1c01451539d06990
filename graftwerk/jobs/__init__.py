"""Jobs: submit, read, watch, edit, predict, download.

Here: a job and the parts of its API. Never: HTTP.
"""

from graftwerk.jobs.collection import AsyncJobs, Jobs, JobsResource
from graftwerk.jobs.job import AsyncJob, Job, JobResource

__all__ = ["AsyncJob", "AsyncJobs", "Job", "JobResource", "Jobs", "JobsResource"]
