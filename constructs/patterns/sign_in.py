"""Who may sign in: a Cognito user pool and the client that an application uses."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import declare
from workbench.workload import Figure, Rate


class SignIn(Construct):
    """People sign up with their e-mail address; the Lite tier, which has all that a token needs.

    Attributes: `pool`, `client`.
    """

    def __init__(self, scope: Construct, id: str, *, monthly_active_users: Figure, sign_ins: Rate) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self.pool = cognito.UserPool(
            self,
            "Users",
            feature_plan=cognito.FeaturePlan.LITE,
            sign_in_aliases=cognito.SignInAliases(email=True),
            self_sign_up_enabled=True,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
            ),
            deletion_protection=stack.is_production,
            removal_policy=stack.removal_policy,
        )
        self.client = self.pool.add_client(
            "App",
            auth_flows=cognito.AuthFlow(user_srp=True, admin_user_password=True),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            id_token_validity=Duration.hours(1),
            access_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(30),
        )
        acknowledge(
            self.pool, "AwsSolutions-COG2", "a second factor is offered, and each person's own choice"
        )
        acknowledge(
            self.pool,
            "AwsSolutions-COG8",
            "the Plus tier costs 3.6 times the Lite tier for each active user; take it when accounts hold money",
        )
        declare(
            self.pool,
            monthly_active_users=monthly_active_users,
            peak_sign_ins_per_second=sign_ins.peak_per_second,
        )
