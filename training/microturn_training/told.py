"""What a background model might hand over to be said: the sentences by which speech from letters is judged.

Written for this project. The acoustic model never learns from them, and from none of their words that `acoustic_data.held` keeps.
"""
SENTENCES = [s.strip() for s in """
the weather in hamburg is cloudy, with a little rain in the evening.
your flight leaves at a quarter past seven from gate twenty two.
i found three restaurants near the station that are open now.
the museum closes at six, so you have about two hours left.
there is heavy traffic on the bridge, take the tunnel instead.
your package was delivered this morning and is with your neighbor.
the meeting has been moved to thursday at half past ten.
it will take around forty minutes to walk to the castle.
the recipe needs two eggs, some flour and a pinch of salt.
i have added batteries and toothpaste to your shopping list.
the last train to the coast departs at eleven fifteen.
your sister called while you were out, she will try again later.
the library has two copies of that novel, both are on loan.
the exchange rate today is one point zero eight dollars.
tomorrow will be sunny with a gentle breeze from the south.
the concert is sold out, but there are tickets for saturday.
i could not find anybody with that name in your contacts.
the nearest pharmacy is on oak street, five minutes from here.
the temperature outside is minus four degrees.
the washing machine has finished its program.
there are seven unread messages in your mailbox.
the capital of norway is oslo.
mount everest is eight thousand eight hundred and forty nine meters high.
a whale can hold its breath for more than an hour.
the doctor can see you on monday at nine in the morning.
please remember to take an umbrella, a storm is on its way.
the bakery around the corner sells fresh bread from six o'clock.
the oven is hot enough now, you can put the cake in.
the bus is running about ten minutes late because of an accident.
your appointment with the dentist is confirmed for friday.
the hotel offers breakfast until half past nine.
i turned off the lights in the kitchen and the hallway.
the front door is locked, but the garage is still open.
the film lasts two hours and twelve minutes.
water boils at a lower temperature on high mountains.
the answer to your question is four hundred and eleven.
the shop will send you a new lamp without any charge.
the printer is out of paper again.
there was an earthquake near the island last night, nobody was hurt.
the price of coffee has gone up by nine percent this year.
your favorite team won the match by two goals.
the lake is warm enough for swimming this week.
you have walked six thousand steps since breakfast.
the swimming pool is closed for repairs until august.
the mayor will open the new hospital on wednesday.
somebody left a brown leather bag on the bench.
turn right after the fountain, then follow the narrow road uphill.
the battery of your phone is almost empty.
the museum shows paintings by young artists from brazil.
the fastest way to the airport is the underground.
your taxi will arrive in about eight minutes.
the plants in the greenhouse need water every other day.
the ferry to the island leaves only twice a day in winter.
the painter used bright yellow and a deep violet.
i have set the heating to twenty one degrees.
the parcel weighs less than three kilograms.
the chapter about volcanoes begins on page ninety six.
an octopus has three hearts and blue blood.
the moon will rise shortly after midnight.
the orchestra plays music by mozart and schubert tonight.
the password must have at least twelve characters.
the vegetables should be cooked for fifteen minutes.
the kitchen floor is wet, please be careful.
your order of two pizzas and a salad is on the way.
the conference begins with a speech about clean energy.
the glacier has lost half of its ice in thirty years.
the elevator is broken, please use the stairs.
i moved the photographs of your holiday into a new folder.
the judge will announce her decision in september.
the dog is in the garden and the cat is asleep upstairs.
the train from vienna arrives at platform four.
strawberries are cheaper at the market on tuesday.
the bicycle path along the canal is closed.
there is a free parking space behind the theater.
the manager wants to speak with you before lunch.
the hurricane is moving slowly towards the north.
a ticket for children under twelve costs half the price.
the telescope can see galaxies that are very far away.
your passport will expire in eleven weeks.
the waiter recommends the mushroom soup and the grilled fish.
the robot vacuum cleaner is stuck beneath the sofa.
the school choir sings in the old church on sunday.
the water level of the river is falling again.
the software update will need about a quarter of an hour.
the honey comes from a small village in the valley.
the game was interrupted twice because of fog.
the tailor can shorten your trousers by tomorrow afternoon.
a new bridge across the harbor is being planned.
the lecture on ancient history was very popular.
the thief escaped through a window on the second floor.
the cheese is made from the milk of sheep.
the runner finished the marathon in under three hours.
the radio station plays jazz after ten in the evening.
the blanket is warm, soft and made of wool.
the secret of a good sauce is patience.
the pilot expects a smooth landing in lisbon.
the carpenter built a wooden cradle for the baby.
the newspaper reports that the strike is over.
the grass should be cut before the guests arrive.
the engine makes a strange noise when it is cold.
the lawyer asked for a copy of the contract.
the bridge was built more than a hundred years ago.
the castle is surrounded by a deep moat.
the frozen peas are on the bottom shelf.
the chess tournament begins in the afternoon.
the rainbow appeared above the roofs of the city.
the teacher praised the pupils for their courage.
the violin was repaired by a craftsman in prague.
the tide is low, you can walk to the lighthouse.
the volcano has been quiet for several centuries.
the customer would like to return the shoes.
the fog should disappear before noon.
the jacket is available in black, green and orange.
the scientists discovered an unknown kind of beetle.
the car needs new brakes and a new windshield.
the soup is too spicy for the children.
the queue in front of the bank is getting longer.
the festival ends with fireworks at midnight.
the gardener planted tulips along the fence.
the climbers reached the summit shortly before dawn.
""".strip().splitlines()]
