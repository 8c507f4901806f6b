"""The deployment config of the product: its fields, what is allowed in them, and the rules between them."""

from akslite_ps.aksedge.config.deployment_config import DeploymentConfig, NodeType
from akslite_ps.aksedge.config.fields import DeploymentType, FieldSpec

__all__ = ["DeploymentConfig", "DeploymentType", "FieldSpec", "NodeType"]
