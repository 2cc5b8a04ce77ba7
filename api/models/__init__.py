from api.models.limits import RateLimitWindow
from api.models.log import ApiCall, IdempotencyKey
from api.models.tokens import ApiToken, HashedKey

__all__ = ["ApiCall", "ApiToken", "HashedKey", "IdempotencyKey", "RateLimitWindow"]
