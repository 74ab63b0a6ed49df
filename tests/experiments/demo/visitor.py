"""A visitor of the page, in a browser."""

import contextlib

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


class Visitor:
    """What a visitor does and sees."""

    def __init__(self, browser, address, begin="Generated in ", picture="refined"):
        self.browser = browser
        self.address = address
        self.begin = begin  # of what the result says once the page can be used
        self.shown = f".{picture} img"
        self.expects = ""  # of what the browser reports as errors
        self.open()

    def open(self):
        """Loads the page and waits until it can be used."""
        self.browser.get(self.address)
        self.wait(lambda: self.note("Result").startswith(self.begin))
        self.wait(lambda: self.all(".joint[cx]"))

    def wait(self, condition):
        """Waits until something is so."""
        return WebDriverWait(self.browser, 20).until(lambda _: condition())

    def all(self, selector):
        """Finds elements."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        """Finds one element."""
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def note(self, panel):
        """What a panel says."""
        return self.one(f'section[aria-label="{panel}"] .note').text

    def picture(self):
        """The generated picture, as an address."""
        return self.one(self.shown).get_attribute("src")

    @contextlib.contextmanager
    def sees_another_picture(self):
        """Waits for the picture to change by what is done."""
        before = self.picture()
        yield
        self.wait(lambda: self.picture() != before)

    def joint(self, number):
        """The joint in the editor."""
        return self.one(f'.joint[data-joint="{number}"]')

    def place(self, number):
        """Where a joint is, in pixels of the model."""
        joint = self.joint(number)
        return [float(joint.get_attribute(name)) - 0.5 for name in ("cx", "cy")]

    def file_input(self, panel):
        """The input that takes a file."""
        return self.one(f'section[aria-label="{panel}"] input[type=file]')
