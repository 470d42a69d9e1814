from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.urls import path


def group(request):
    return HttpResponse(str(Group.objects.create(name="served").pk))


urlpatterns = [path("group/", group)]
