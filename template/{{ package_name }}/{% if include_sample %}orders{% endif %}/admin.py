from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Order
from .shipping import ship


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["product", "quantity", "status", "customer", "created_at"]
    list_filter = ["status"]
    readonly_fields = ["status", "created_at"]
    actions = ["ship"]

    @admin.action(permissions=["ship"], description="Ship selected orders")
    def ship(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        numbers = [ship(order) for order in queryset.select_related("customer")]
        self.message_user(request, f"Shipped: {', '.join(numbers)}")

    def has_ship_permission(self, request: HttpRequest) -> bool:
        carrier_is_set = bool(getattr(settings, "CARRIER_URL", ""))
        return carrier_is_set and self.has_change_permission(request)
