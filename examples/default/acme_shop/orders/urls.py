from django.urls import path

from . import views

urlpatterns = [
    path("", views.order_list, name="order-list"),
    path("orders/<int:pk>/", views.order_status, name="order-status"),
]
