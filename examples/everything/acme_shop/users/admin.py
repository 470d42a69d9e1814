from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from .models import User

# Fields of your own: subclass UserAdmin and extend its fieldsets.
admin.site.register(User, UserAdmin)
