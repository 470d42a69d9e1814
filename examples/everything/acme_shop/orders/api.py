"""The orders API: an async viewset. DRF itself has no async views; adrf adds them."""

from adrf.routers import SimpleRouter
from adrf.serializers import ModelSerializer
from adrf.viewsets import ModelViewSet
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from .access import visible_orders
from .models import Order


class OrderSerializer(ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "product", "quantity", "status", "created_at"]
        read_only_fields = ["status"]
        extra_kwargs = {"quantity": {"min_value": 1}}


class OrderViewSet(ModelViewSet):
    """The orders that the user may see: access.py says which."""

    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def get_queryset(self) -> QuerySet[Order]:
        return visible_orders(self.request.user, {})  # Without log-in, nobody comes here.

    async def perform_acreate(self, serializer: OrderSerializer) -> None:
        await serializer.asave(customer=self.request.user)

    @extend_schema(  # type: ignore[type-var]  # The stubs know sync ones.
        responses=inline_serializer(
            "Summary", {status.value: serializers.IntegerField() for status in Order.Status}
        )
    )
    @action(detail=False)
    async def summary(self, request: Request) -> Response:
        """How many orders are new, how many processed."""
        orders = self.get_queryset()
        counts = {status: await orders.filter(status=status).acount() for status in Order.Status}
        return Response(counts)


# adrf's router: with DRF's own, the same viewset would run its sync methods in a thread.
router = SimpleRouter()
router.register("orders", OrderViewSet, basename="api-order")
