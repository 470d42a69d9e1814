from django.urls import include, path

from . import api, views

urlpatterns = [
    path("", views.order_list, name="order-list"),
    path("orders/<int:pk>/", views.order_status, name="order-status"),
    path("api/", include(api.router.urls)),
]
