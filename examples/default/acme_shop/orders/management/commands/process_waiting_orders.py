"""For cron, a timer or compose.yml, every five minutes: process what a killed process left."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from acme_shop.orders.services import process_waiting_orders


class Command(BaseCommand):
    help = "Processes the orders that still wait."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--minutes", type=int, default=5, help="how long they wait (5)")

    def handle(self, *args: Any, minutes: int, **options: Any) -> None:
        self.stdout.write(f"{process_waiting_orders(minutes)} processed")
