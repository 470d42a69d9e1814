from django.contrib import admin

from .models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["product", "quantity", "status", "customer", "created_at"]
    list_filter = ["status"]
    readonly_fields = ["status", "created_at"]
