"""A sync page and an async endpoint."""

from django import forms
from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import aget_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from .models import Order


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ["product", "quantity"]


@require_http_methods(["GET", "POST"])
def order_list(request: HttpRequest) -> HttpResponse:
    """The page: the latest orders, and a form that places one."""
    form = OrderForm(request.POST or None)
    if form.is_valid():
        order = form.save(commit=False)
        order.customer = request.user if request.user.is_authenticated else None
        order.save()
        return redirect("order-list")
    context = {
        "form": form,
        "orders": Order.objects.all()[:50],
        "project_name": settings.PROJECT_NAME,
        "live": apps.is_installed("channels"),
    }
    return render(request, "orders/order_list.html", context)


@require_GET
async def order_status(request: HttpRequest, pk: int) -> JsonResponse:
    """One order as JSON."""
    order = await aget_object_or_404(Order, pk=pk)
    return JsonResponse({"id": order.pk, "product": order.product, "status": order.status})
