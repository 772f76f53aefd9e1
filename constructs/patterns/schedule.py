"""A function that is called at regular times."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.dead_letters import DeadLetters
from patterns.python_function import PythonFunction

SHORTEST_AGE_S, LONGEST_AGE_S = (
    60,
    21_600,
)  # that Lambda keeps an event ("EventInvokeConfig"); EventBridge longer


class Schedule(Construct):
    """Calls `target` every so often, by a rule that may call this function alone.

    A call that fails is not made again unless `retries` says so: the next one comes anyway, and does what it left.
    One that EventBridge cannot deliver is parked; neither is tried for longer than until the next, nor six hours. How
    often it is called belongs into the function's own traffic. Attributes: `rule`, `dead_letters`.
    """

    def __init__(
        self, scope: Construct, id: str, *, target: PythonFunction, every: Duration, retries: int = 0
    ) -> None:
        super().__init__(scope, id)
        age = Duration.seconds(min(max(SHORTEST_AGE_S, int(every.to_seconds())), LONGEST_AGE_S))
        self.dead_letters = DeadLetters(self, "DeadLetters", behind_queue=True)
        acknowledge(
            self.dead_letters, "AwsSolutions-SQS3", "it is a rule's: EventBridge parks what it cannot deliver"
        )
        target.function.configure_async_invoke(retry_attempts=retries, max_event_age=age)
        acknowledge(
            target.function,
            "Serverless-LambdaAsyncFailureDestination",
            "a call says nothing that the next one does not; that one failed is an alarm on the function's errors",
        )
        self.rule = events.Rule(
            self,
            "Rule",
            schedule=events.Schedule.rate(every),
            targets=[
                targets.LambdaFunction(
                    target.function,
                    dead_letter_queue=self.dead_letters,
                    retry_attempts=3,
                    max_event_age=age,
                )
            ],
        )
