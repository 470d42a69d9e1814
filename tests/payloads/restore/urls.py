from django.http import HttpResponse
from django.urls import path

from .models import Box


def box(request):
    Box.objects.create(shelf_id=1)
    return HttpResponse(str(Box.objects.count()))


urlpatterns = [path("box/", box)]
