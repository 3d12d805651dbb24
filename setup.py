"""What pyproject.toml cannot say: the page travels inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["realtime*"]), "realtime.web"],
    package_dir={"realtime.web": "web"},
    package_data={"realtime": ["py.typed"], "realtime.web": ["*", "**/*"]},
)
