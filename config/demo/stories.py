"""Forty conversations as they happen at a plumber's and a dentist's. Invented people, invented words.

Each story: where, who (first name, last name, email, phone), how it came in, how many hours ago, what it is about, what
was said in turn (lead first; "api:", "auto:" and "note:" say who else speaks), and how it stands.
"""

from __future__ import annotations

from typing import NamedTuple


class Story(NamedTuple):
    place: str
    first_name: str
    last_name: str
    email: str
    phone: str
    channel: str  # website or email
    hours_ago: float
    title: str
    said: tuple[str, ...]
    state: str = "open"  # open, closed, failed, blocked, queued


N, E, W, R, H = "Northside Plumbing", "Eastgate", "Westgate", "Riverside", "Harbor Dental"

STORIES = (
    Story(E, "Ava", "Brooks", "ava.brooks@example.net", "+1 415 555 0101", "website", 0.4, "Leaking kitchen tap", ("Hi, my kitchen tap has been dripping since last night and the cupboard below is wet now. Can somebody come today?",)),
    Story(E, "Ben", "Ortiz", "ben.ortiz@example.net", "+1 415 555 0102", "email", 2, "Boiler makes a knocking noise", ("The boiler knocks every time it starts. It is a Vaillant, eight years old. Is that dangerous?", "api:Hello Ben, knocking is usually air or limescale, not danger. We can look at it tomorrow between 9 and 11. Does that suit you?", "Tomorrow at 9 is perfect, thank you!")),
    Story(W, "Chloe", "Nakamura", "chloe.n@example.org", "", "website", 3, "Bathroom quote", ("We are redoing our bathroom (6 m2, shower instead of the tub). Could you give us a rough price before we decide?", "note:Measured a similar one in Pine Street in March: 7,400.", "Roughly 6,500 to 8,000 including tiles, depending on the drain. Shall we come and measure on Thursday?")),
    Story(W, "Daniel", "Weber", "daniel.weber@example.com", "+49 30 5550103", "email", 5, "Rohrbruch im Keller", ("Guten Tag, im Keller steht Wasser, vermutlich ein Rohrbruch. Können Sie heute noch kommen?", "Guten Tag Herr Weber, wir sind um 14 Uhr bei Ihnen. Bitte drehen Sie den Haupthahn zu.", "Danke, Haupthahn ist zu.")),
    Story(R, "Elif", "Yılmaz", "elif.yilmaz@example.net", "+1 415 555 0104", "website", 7, "No hot water", ("No hot water since this morning, two small children in the house.", "api:Hello Elif, a plumber calls you within the hour.", "Yusuf is on his way and will be there at 11:30.", "He was here and it works again. You are great.")),
    Story(R, "Farid", "Haddad", "farid@example.org", "+1 415 555 0105", "email", 9, "Invoice 4471", ("I was charged for two hours but Tom was here for forty minutes. Please check invoice 4471.", "note:Tom confirms 45 min. Correct to one hour, the minimum.", "You are right, it should be one hour. The corrected invoice comes today. Sorry for that!"), "closed"),
    Story(E, "Grace", "Lindqvist", "grace.l@example.com", "+1 415 555 0106", "website", 11, "Garden tap before winter", ("Do you also install frost-proof garden taps? One on the north wall.", "Yes, 180 with the tap. We have a free slot on Friday at 8.", "Friday at 8 it is.")),
    Story(E, "Hassan", "Ali", "hassan.ali@example.net", "", "website", 14, "Shower drain smells", ("The shower drain smells awful, cleaning does not help.",)),
    Story(N, "Ines", "Moreau", "ines.moreau@example.org", "+33 1 55 55 01 07", "email", 16, "Devis pour un chauffe-eau", ("Bonjour, je cherche un devis pour remplacer un chauffe-eau de 150 litres.", "Bonjour Madame Moreau, pouvez-vous nous envoyer une photo de l'installation actuelle ?", "Bien sûr, je vous l'envoie ce soir.")),
    Story(N, "Jack", "O'Neill", "jack.oneill@example.com", "+1 415 555 0108", "website", 20, "Pipe burst, insurance report", ("Need a written report for my insurance about the burst pipe last week.", "api:Hello Jack, thank you for writing. A plumber calls you within the hour.", "The report is attached to your customer page. Anything missing?", "All there. Thanks.")),
    Story(E, "Kira", "Petrova", "kira.petrova@example.net", "+1 415 555 0109", "website", 24, "Toilet keeps running", ("The toilet on the second floor keeps running. I hear it all night.", "Turn the small valve behind the tank, that stops it until we come. Wednesday at 10?",)),
    Story(W, "Liam", "Byrne", "liam.byrne@example.org", "", "email", 28, "Maintenance contract", ("Do you offer a yearly boiler maintenance contract for a house with two flats?", "We do: 160 a year for both boilers, parts not included. Shall I send the contract?", "Yes please, to this address.")),
    Story(W, "Mei", "Chen", "mei.chen@example.com", "+1 415 555 0110", "website", 31, "Water pressure too low", ("Since the works in the street the pressure in the shower is very low.", "Usually it is the filter behind the meter, full of sand now. We clean it for 70. Tomorrow afternoon?"), "queued"),
    Story(W, "Noah", "Kowalski", "noah.kowalski@bounce.example", "+1 415 555 0111", "website", 33, "Dishwasher connection", ("Can you connect a dishwasher in an old kitchen without a connection under the sink?", "Yes, we add a tee and a trap. 120 all in. When is a good day?"), "failed"),
    Story(R, "Olga", "Ivanova", "olga.i@example.net", "+1 415 555 0112", "email", 38, "Please stop writing", ("I have found somebody else. Please do not send me any more mails.",), "blocked"),
    Story(R, "Paul", "Schmidt", "paul.schmidt@example.org", "+49 40 5550113", "website", 41, "Heizung entlüften", ("Ein Heizkörper im Schlafzimmer wird nur oben warm. Kann ich das selbst machen?", "Ja, einfach entlüften: Ventil rechts oben eine halbe Umdrehung öffnen, bis Wasser kommt.", "Hat geklappt, danke!"), "closed"),
    Story(E, "Quinn", "Taylor", "quinn@example.com", "", "website", 45, "Do you work on Sundays?", ("Do you come on Sundays and what does it cost?", "For emergencies yes, with 50 % on top. Is it one?", "No, it can wait until Monday."), "closed"),
    Story(E, "Rosa", "Silva", "rosa.silva@example.net", "+1 415 555 0114", "website", 50, "Second bathroom", ("We spoke in spring about the second bathroom. We are ready now.", "note:Offer 2291 from April is still valid.", "Wonderful! The offer from April still holds. Shall we start on the 2nd?", "The 2nd is fine. We will be out of the house until noon.")),
    Story(N, "Sam", "Johnson", "sam.johnson@example.org", "+1 415 555 0115", "email", 54, "Job application", ("I am a trained plumber with six years of experience and look for work in the north of the city.", "Thank you, Sam! Kim from our office calls you this week."), "closed"),
    Story(N, "Tara", "Singh", "tara.singh@example.com", "+1 415 555 0116", "website", 60, "Rental flat, urgent", ("Tenant reports water coming through the ceiling of the flat below. I am the landlord and abroad.", "api:Hello Tara, thank you for writing. A plumber calls you within the hour.", "We are in the flat, the water is off, it was the washing machine hose. Photos follow.", "Thank you so much for the speed.")),
    Story(E, "Umar", "Farouk", "umar.farouk@example.net", "", "website", 66, "Radiator valve", ("A radiator valve is stuck, the room is at 27 degrees.", "We bring a new one on Tuesday morning.",)),
    Story(W, "Vera", "Novak", "vera.novak@example.org", "+1 415 555 0117", "email", 71, "Well pump", ("Do you repair well pumps? Ours starts every two minutes.", "That sounds like the pressure tank. We can check it on Monday for 90.", "Monday is good. After 3 pm please.", "Noted: Monday after 3 pm."), "closed"),
    Story(R, "Will", "Carter", "will.carter@example.com", "+1 415 555 0118", "website", 76, "Smell of gas!", ("I think I smell gas near the boiler.", "Leave the house now, do not touch switches, and call the gas emergency line. Call us from outside.", "They were here, it was a loose joint. Can you replace it?", "Yes, today at 16:00.", "Done. Thank you."), "closed"),
    Story(R, "Xenia", "Pappas", "xenia@example.net", "", "website", 82, "Kitchen move", ("We want to move the kitchen to the other side of the flat. Is that possible with the pipes?", "Possible if the floor has 8 cm for the slope. We would have to look at it.",)),
    Story(E, "Yann", "Le Gall", "yann.legall@example.org", "+33 2 55 55 01 19", "email", 90, "Adoucisseur d'eau", ("Installez-vous aussi des adoucisseurs d'eau ?", "Oui, à partir de 1 900 avec la pose. Souhaitez-vous une visite ?", "Oui, la semaine prochaine."), "closed"),
    Story(W, "Zoe", "Adams", "zoe.adams@example.com", "+1 415 555 0120", "website", 97, "Thank you", ("Just wanted to say that Marta did a great job on Tuesday. Five stars.", "That makes our day, Zoe. We tell her!"), "closed"),
    Story(N, "Aiden", "Murphy", "aiden.murphy@example.net", "+1 415 555 0121", "website", 120, "Office building, four floors", ("We look for a partner for all plumbing in an office building, 40 rest rooms.", "Gladly. Could we walk through it together next week?", "Wednesday 10:00, main entrance.", "See you there.")),
    Story(E, "Bea", "Rossi", "bea.rossi@example.org", "", "email", 144, "Caldaia in blocco", ("La caldaia è in blocco con il codice F28. Che cosa significa?", "F28 vuol dire che non arriva gas. Controlli il rubinetto del gas, poi prema reset.", "Era il rubinetto. Grazie mille!"), "closed"),
    Story(H, "Carl", "Jensen", "carl.jensen@example.com", "+1 415 555 0201", "website", 1, "Toothache since Sunday", ("Upper left, worse at night. Do you have anything this week?",)),
    Story(H, "Dina", "Rahman", "dina.rahman@example.net", "+1 415 555 0202", "email", 6, "Check-up for two", ("Can my daughter and I come together for a check-up? She is 9.", "Of course. Thursday at 15:30 and 16:00 are free, one after the other.", "We take both.")),
    Story(H, "Eric", "Olsen", "eric.olsen@example.org", "", "website", 12, "Cost of a crown", ("What does a ceramic crown cost with you? I have a quote of 1,100.", "Ours are 980 with the temporary one. Would you like a second opinion on whether it needs one?",)),
    Story(H, "Fay", "Wong", "fay.wong@example.com", "+1 415 555 0203", "website", 26, "Retainer broke", ("My retainer broke in two. Can it be glued?", "Bring both halves, Dr. Reyes has a look tomorrow at 8:15.", "Will be there.")),
    Story(H, "Gil", "Mendes", "gil.mendes@example.net", "+1 415 555 0204", "email", 39, "Move my appointment", ("I have to move my appointment of Monday 10:00. Anything later that day?", "Monday 17:30 is yours.", "Perfect."), "closed"),
    Story(H, "Hana", "Sato", "hana.sato@example.org", "", "website", 58, "Insurance", ("Do you take Delta insurance?", "We do, for check-ups and fillings.",), "closed"),
    Story(H, "Ivo", "Marek", "ivo.marek@example.com", "+1 415 555 0205", "website", 73, "Afraid of dentists", ("I have not been to a dentist for ten years because I am afraid. How do you handle that?", "You are not alone, Ivo. The first visit is only a talk, nobody touches a tooth. Would Friday suit you?", "Friday sounds possible.")),
    Story(H, "Joy", "Okafor", "joy.okafor@example.net", "+1 415 555 0206", "email", 88, "Invoice copy", ("Could you send me a copy of the invoice from May?", "It is on its way to your address."), "closed"),
    Story(E, "", "", "", "+1 415 555 0122", "website", 4, "Call me back", ("Please call me back about a burst pipe in Hill Road, I have no email.",)),
    Story(W, "Walter", "Green", "", "1234", "website", 22, "Old lady next door", ("My neighbour has no heating. She has no phone, please just go to Hill Road 9.",)),
    Story(R, "Nora", "Quist", "nora.quist@example.com", "+1 415 555 0123", "website", 36, "Floor heating", ("Half of the floor heating stays cold.", "auto:Thank you for your message. We have received it and will get back to you soon.", "The mixing valve may be stuck. Tomorrow at 13:00?", "13:00 works.")),
    Story(N, "Omar", "Diaz", "omar.diaz@example.org", "", "email", 170, "Partnership", ("We sell heat pumps and look for installers in your area. Interested?", "Yes, send us your conditions please.", "Attached to our page, have a look.")),
)
