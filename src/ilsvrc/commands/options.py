"""Types of options that several commands take: what a number must be for the job to make sense of it."""

from typing import Annotated, Literal

from cyclopts import Parameter, validators

Natural = Annotated[int, Parameter(validator=validators.Number(gte=0))]
Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Seed = Annotated[int, Parameter(validator=validators.Number(gte=0, lt=2**32))]
Threads = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=256))]
Width = Annotated[float, Parameter(validator=validators.Number(gt=0, lte=100))]
Flag = Annotated[bool, Parameter(negative="")]
Precision = Literal["auto", "fp32", "bf16", "fp16", "tf32"]
BadImages = Literal["stop", "skip"]
Compile = Literal["auto", "no", "parts", "whole"]
Share = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1))]
EngineName = Literal["auto", "eager", "fp32", "bf16", "compiled", "compiled-bf16", "openvino", "openvino-bf16", "int8"]
