"""The data section of a job: rows of a data set, or an environment.

A module of its own: an environment may hold networks, and what registers data sets has no need of their language.
"""

from typing import Annotated

from pydantic import Field

from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.sources import BuiltinData, TorchvisionData, UploadedData

Data = Annotated[BuiltinData | TorchvisionData | UploadedData | EnvironmentData, Field(discriminator="kind")]
