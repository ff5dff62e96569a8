"""Who answers for the map and what its data may be used for, as each service's capabilities tell it."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

SAYS_NOTHING = "NONE"
"""By OWS 1.1 and WMS: there are no constraints."""


@dataclass(frozen=True, slots=True)
class Contact:
    """An office, and the person or desk to ask there. What is empty is not told."""

    organisation: str = ""
    person: str = ""
    phone: str = ""
    email: str = ""
    terms: str = ""
    """What the data may be used for."""

    @property
    def text(self) -> str:
        """On one line, for people; empty if nobody is named."""
        return ", ".join(filter(None, (self.organisation, self.person, self.phone, self.email)))


NOBODY = Contact()


def ows_provider(title: str, contact: Contact) -> str:
    """ServiceProvider of OWS 1.1, which WFS and WMTS have. `title`: what stands for an office without a name."""
    phone = f"<ows:Phone><ows:Voice>{escape(contact.phone)}</ows:Voice></ows:Phone>" if contact.phone else ""
    email = f"<ows:ElectronicMailAddress>{escape(contact.email)}</ows:ElectronicMailAddress>"
    reached = phone + (f"<ows:Address>{email}</ows:Address>" if contact.email else "")
    person = f"<ows:IndividualName>{escape(contact.person)}</ows:IndividualName>" if contact.person else ""
    told = person + (f"<ows:ContactInfo>{reached}</ows:ContactInfo>" if reached else "")
    return (
        f"<ows:ServiceProvider><ows:ProviderName>{escape(contact.organisation or title)}</ows:ProviderName>"
        f"<ows:ServiceContact>{told}</ows:ServiceContact></ows:ServiceProvider>"
    )


def ows_constraints(contact: Contact) -> str:
    """Fees and AccessConstraints of OWS 1.1."""
    terms = escape(contact.terms or SAYS_NOTHING)
    return f"<ows:Fees>NONE</ows:Fees><ows:AccessConstraints>{terms}</ows:AccessConstraints>"


def wms_contact(contact: Contact, space: str) -> etree._Element | None:
    """ContactInformation of WMS 1.1.1 (`space` is empty) and 1.3.0; None: nobody is named."""
    if not contact.text:
        return None
    root = etree.Element(f"{space}ContactInformation")
    if contact.person or contact.organisation:
        primary = etree.SubElement(root, f"{space}ContactPersonPrimary")  # both, though one may be empty
        etree.SubElement(primary, f"{space}ContactPerson").text = contact.person
        etree.SubElement(primary, f"{space}ContactOrganization").text = contact.organisation
    for name, value in (("ContactVoiceTelephone", contact.phone), ("ContactElectronicMailAddress", contact.email)):
        if value:
            etree.SubElement(root, f"{space}{name}").text = value
    return root
