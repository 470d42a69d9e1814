"""A sync page and an async endpoint."""

from datetime import timedelta

from asgiref.sync import sync_to_async
from django import forms
from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import aget_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from .access import place_order, visible_orders
from .models import Order
from .queue import WORKER


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ["product", "quantity"]
        widgets = {"quantity": forms.NumberInput({"min": 1})}


@require_http_methods(["GET", "POST"])
def order_list(request: HttpRequest) -> HttpResponse:
    """The page: the visitor's latest orders, and a form that places one."""
    form = OrderForm(request.POST or None)
    if form.is_valid():
        place_order(form.save(commit=False), request.user, request.session)
        return redirect("order-list")
    orders = visible_orders(request.user, request.session)
    a_while_ago = timezone.now() - timedelta(seconds=10)
    waiting = orders.filter(status=Order.Status.NEW, created_at__lt=a_while_ago)
    context = {
        "form": form,
        "orders": orders[:50],
        "project_name": settings.PROJECT_NAME,
        "live": apps.is_installed("channels"),
        # In development, what to start when nothing processes orders.
        "worker": WORKER if settings.DEBUG and waiting.exists() else "",
    }
    return render(request, "orders/order_list.html", context)


@require_GET
async def order_status(request: HttpRequest, pk: int) -> JsonResponse:
    """One order as JSON."""
    orders = await sync_to_async(visible_orders)(request.user, request.session)
    order = await aget_object_or_404(orders, pk=pk)
    return JsonResponse({"id": order.pk, "product": order.product, "status": order.status})
